# SPDX-License-Identifier: AGPL-3.0-or-later
# Which emulator runs the machines. Sourced by Scripts/machine.
#
# Emulating two processors needs QEMU 8.1 or later. Before it, code that one processor rewrote while another translated it
# could stay stale (a kernel patches itself all the time: panics with "int3"), and a 16-byte compare-and-exchange was not
# atomic, so that instruction had to be hidden, and what Swift compiles for its double-word atomics then died of it.
# Debian 12 has QEMU 7.2, its backports have a newer one: that is unpacked into the cache, and nothing on the host changes.
# shellcheck shell=bash

emulator_packages=(qemu-system-x86 qemu-system-common qemu-system-data seabios)

# Sets emulator to the program that runs machines, installing what is needed.
need_emulator() {
  need_commands qemu-system-x86_64:qemu-system-x86 qemu-img:qemu-utils mkfs.ext4:e2fsprogs debugfs:e2fsprogs
  emulator=qemu-system-x86_64
  is_new_enough "$emulator" || {
    emulator=$cache/emulator/usr/bin/qemu-system-x86_64
    [ -x "$emulator" ] || unpack_emulator
  }
}

# Whether QEMU $1 translates code safely for two processors.
is_new_enough() {
  local version
  version=$("$1" --version | sed -n 's/^QEMU emulator version \([0-9.]*\).*/\1/p')
  [ -n "$version" ] && [ "$(printf '%s\n' 8.1 "$version" | sort -V | head -n 1)" = 8.1 ]
}

unpack_emulator() {
  local work=$cache/emulator.new codename mirror keyring package
  codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  step "unpacking a newer QEMU from $codename-backports"
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || fail "machine: apt knows no source for this machine's own Debian release; add one and run apt-get update"
  keyring=$(debian_keyring "$mirror")
  rm -rf "$work"
  mkdir -p "$work"/{apt/lists/partial,apt/cache/archives/partial,debs,root}
  echo "deb [signed-by=$keyring] $mirror $codename-backports main" >"$work/apt/sources.list"
  # Lists of its own: the host's apt must not begin to offer backports.
  local options=(-q -o "Dir::Etc::SourceList=$work/apt/sources.list" -o Dir::Etc::SourceParts=/dev/null
    -o "Dir::State::Lists=$work/apt/lists" -o "Dir::Cache=$work/apt/cache" -o APT::Sandbox::User=root)
  if ! (
    apt-get "${options[@]}" update && cd "$work/debs" &&
      apt-get "${options[@]}" download "${emulator_packages[@]/%//$codename-backports}"
  ) >"$cache/emulator.log" 2>&1; then
    tail -n 10 "$cache/emulator.log" >&2
    fail "machine: could not get a QEMU newer than 8.1 from $codename-backports; install one, so that it is first in PATH"
  fi
  for package in "$work"/debs/*.deb; do
    dpkg-deb -x "$package" "$work/root"
  done
  is_new_enough "$work/root/usr/bin/qemu-system-x86_64" ||
    fail "machine: the QEMU of $codename-backports does not run here, or is older than 8.1; install a newer one by hand"
  rm -rf "$cache/emulator"
  mv "$work/root" "$cache/emulator"
  rm -rf "$work"
}
