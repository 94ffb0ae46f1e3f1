# SPDX-License-Identifier: AGPL-3.0-or-later
# Settings and small helpers that every verb uses. Sourced by Scripts/machine.
# shellcheck shell=bash

repository="$(cd "$machine_parts/../.." && pwd)"
cache="${DOCKER_NFSD_MACHINE_CACHE:-$repository/.machine}"
suite="${DOCKER_NFSD_MACHINE_SUITE:-trixie}"
# Sorted, so that a set of packages has one name.
packages=$(tr ',' '\n' <<<"${DOCKER_NFSD_MACHINE_PACKAGES:-}" | LC_ALL=C sort -u | sed '/^$/d' | paste -sd ,)
# What is made of one suite and set of packages; the emulator is everybody's.
suite_cache=$cache/$suite${packages:++${packages//,/+}}

# How many scripts can run in one machine at the same time; the guest's agent serves every port that it finds.
channel_count=4

fail() {
  printf '%s\n' "$*" >&2
  exit 1
}

# Progress goes to standard error: the standard output of exec belongs to the script in the machine.
say() {
  printf 'machine: %s\n' "$*" >&2
}

step() {
  printf 'machine: [%3d s] %s\n' "$SECONDS" "$*" >&2
}

# Installs the packages whose command is missing. Arguments: COMMAND:PACKAGE ...
need_commands() {
  local pair missing=()
  for pair in "$@"; do
    command -v "${pair%%:*}" >/dev/null 2>&1 || missing+=("${pair#*:}")
  done
  [ ${#missing[@]} -gt 0 ] || return 0
  install_packages "${missing[@]}"
}

install_packages() {
  [ "$(id -u)" = 0 ] || fail "machine: need the packages $* but am not root; run: apt-get install $*"
  step "installing $*"
  local log
  log=$(mktemp)
  # The lists may be absent or too old to name files that the mirror still has, so a failure earns one update.
  if ! apt_install "$@" >"$log" 2>&1; then
    if ! { apt-get update -q && apt_install "$@"; } >"$log" 2>&1; then
      tail -n 15 "$log" >&2
      rm -f "$log"
      fail "machine: apt-get could not install $*; see its words above, then check this machine's apt sources"
    fi
  fi
  rm -f "$log"
}

apt_install() {
  DEBIAN_FRONTEND=noninteractive apt-get install -y -q --no-remove --no-install-recommends "$@"
}

# Prints the process number of the machine in folder $1, or fails when it does not run.
running_pid() {
  local pid
  # The emulator removes the file when it ends, perhaps just now.
  { read -r pid <"$1/pid"; } 2>/dev/null || return 1
  # A stale file may name a process of somebody else by now: only one that was started with this very file is ours.
  grep -qzxF -- "$1/pid" "/proc/$pid/cmdline" 2>/dev/null || return 1
  printf '%s\n' "$pid"
}

# Absolute form of folder $1, which need not exist yet.
absolute() {
  realpath -m -- "$1"
}

console_tail() {
  [ -s "$1/console.log" ] || { say "the console printed nothing"; return 0; }
  say "the last lines of the console:"
  tail -n "${2:-30}" "$1/console.log" | tr -d '\r' | sed 's/^/  | /' >&2
}
