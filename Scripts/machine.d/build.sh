# SPDX-License-Identifier: AGPL-3.0-or-later
# Makes the image: a Debian disk with systemd, Docker and the kernel NFS server, its kernel and an initramfs.
# Sourced by Scripts/machine.
# shellcheck shell=bash

image_packages=systemd,systemd-sysv,dbus,kmod,iproute2,nfs-kernel-server,docker.io,iptables,procps,socat,make,libstdc++6,python3,e2fsprogs
case "$suite" in
  # docker.io has the command, and there is no Compose that is a part of it.
  bookworm) ;;
  trixie) image_packages+=,docker-cli,docker-compose ;;
  # mount is no essential package there.
  forky) image_packages+=,docker-cli,docker-compose,mount ;;
esac
image_packages+=${packages:+,$packages}
image_kernel=linux-image-cloud-amd64
# Sparse: only what is written takes room in the cache.
image_size=6G

machine_build() {
  [ $# -eq 0 ] || fail "machine build: takes no arguments, was given: $*"
  case "$suite" in
    bookworm | trixie | forky) ;;
    *) fail "machine: $suite is no suite that a machine can be made of; there are bookworm, trixie and forky" ;;
  esac
  case "$packages" in
    *[!a-z0-9.+,-]*) fail "machine: $packages are no names of Debian packages with commas between" ;;
  esac
  mkdir -p "$suite_cache"
  # Two builds at once (a test run and a person) would write the same files.
  exec {build_lock}>"$suite_cache/lock"
  flock -n "$build_lock" || {
    step "waiting for whoever makes the image in $suite_cache"
    flock "$build_lock"
  }
  local wanted
  wanted=$(image_fingerprint)
  if [ "$(cat "$suite_cache/image/fingerprint" 2>/dev/null)" = "$wanted" ]; then
    step "the image of $suite${packages:+ with $packages} is up to date"
  else
    build_image
    printf '%s\n' "$wanted" >"$suite_cache/image/fingerprint"
    step "the image is made: $(du -sh "$suite_cache/image" | cut -f1)"
  fi
  need_emulator
  build_warm_state
  exec {build_lock}>&-
}

# What the image is made from. The mirror is left out: the same suite gives the same machine.
image_fingerprint() {
  (
    printf '%s\n' "$suite" "$packages"
    cd "$machine_parts" && find build.sh guest -type f -print0 | LC_ALL=C sort -z | xargs -0 sha256sum
  ) | sha256sum | cut -c1-32
}

build_image() {
  need_commands mmdebstrap:mmdebstrap cpio:cpio mkfs.ext4:e2fsprogs xz:xz-utils
  local work=$suite_cache/image.new
  rm -rf "$work"
  mkdir -p "$work"
  step "installing Debian $suite${packages:+ with $packages} into a folder"
  make_root "$work"
  step "making the initramfs"
  make_initramfs "$work"
  step "making the disk"
  make_disk "$work/root" "$work/root.img" "$image_size"
  rm -rf "$work/root" "$work/busybox" "$suite_cache/image"
  mv "$work" "$suite_cache/image"
}

# The URI from which this machine gets its own release. Asking apt itself covers both forms of source files.
debian_mirror() {
  local codename
  codename=$(sed -n 's/^VERSION_CODENAME=//p' /etc/os-release)
  apt-get indextargets --format '$(REPO_URI) $(RELEASE) $(COMPONENT) $(ORIGIN)' 'Created-By: Packages' |
    awk -v codename="$codename" '
      $2 == codename && $3 == "main" && !uri { uri = $1 }
      $2 == codename && $3 == "main" && $4 == "Debian" { uri = $1; exit }
      END { sub("/$", "", uri); print uri }'
}

# The keyring that the source with URI $1 names, else the one of Debian's own package.
debian_keyring() {
  local keyring
  keyring=$(cat /etc/apt/sources.list /etc/apt/sources.list.d/*.list /etc/apt/sources.list.d/*.sources 2>/dev/null |
    awk -v uri="$1" '
      /^[[:space:]]*$/ { found = 0 }
      index($0, uri) { found = 1; if (match($0, /signed-by=[^] ]+/)) { print substr($0, RSTART + 10, RLENGTH - 10); exit } }
      found && /^Signed-By:/ { print $2; exit }')
  case "$keyring" in
    /*) ;;
    *) keyring=/usr/share/keyrings/debian-archive-keyring.gpg ;;
  esac
  [ -r "$keyring" ] || install_packages debian-archive-keyring >&2
  printf '%s\n' "$keyring"
}

make_root() {
  local work=$1 mirror keyring option options=()
  mirror=$(debian_mirror)
  [ -n "$mirror" ] || fail "machine build: apt knows no source for this machine's own Debian release; add one and run apt-get update"
  keyring=$(debian_keyring "$mirror")
  # A proxy or a relaxed date check that this machine needs to reach its mirror is needed here too.
  while read -r option; do
    options+=("--aptopt=$option")
  done < <(apt-config dump | grep -E '^Acquire::(Check-|Retries|https?::(Proxy|Timeout))' | grep -v ' "";$')
  if ! mmdebstrap --quiet --mode=root --variant=essential --architectures=amd64 --include="$image_packages" \
    "${options[@]}" \
    --dpkgopt='path-exclude=/usr/share/doc/*' --dpkgopt='path-exclude=/usr/share/man/*' \
    --dpkgopt='path-exclude=/usr/share/info/*' --dpkgopt='path-exclude=/usr/share/locale/*' \
    --dpkgopt='path-exclude=/usr/share/bash-completion/*' --dpkgopt='path-exclude=/usr/share/zsh/*' \
    --customize-hook="env MACHINE_KERNEL=$image_kernel bash $(printf %q "$machine_parts/guest/customize") \"\$1\" $(printf %q "$work")" \
    "$suite" "$work/root" "deb [signed-by=$keyring] $mirror $suite main" >"$suite_cache/build.log" 2>&1 </dev/null; then
    tail -n 25 "$suite_cache/build.log" >&2
    fail "machine build: could not install Debian $suite; see the last lines of $suite_cache/build.log above"
  fi
  # Nothing can be installed in a machine without a network, and the mirror's name need not be known there.
  rm -rf "$work"/root/{etc,var/lib,var/cache}/apt
}

# A busybox, some drivers and twenty lines: all that stands between the kernel and the disk.
make_initramfs() {
  local work=$1 tree=$1/initramfs.tree modules path
  modules=$(echo "$work"/root/usr/lib/modules/*)
  mkdir -p "$tree"/{bin,proc,dev,root}
  cp "$work/busybox" "$tree/bin/busybox"
  # In the order in which they are to be loaded. What a kernel has built in is not in the list of files.
  for path in virtio/virtio_pci block/virtio_blk; do
    awk -F : -v end="/$path.ko" 'substr($1, length($1) - length(end) + 1) == end {
      count = split($2, needed, " ")
      for (i = count; i > 0; i--) print needed[i]
      print $1 }' "$modules/modules.dep"
  done | awk '!seen[$0]++' | while read -r path; do
    cp "$modules/$path" "$tree/"
    basename "$path"
  done >"$tree/modules"
  install -m 755 "$machine_parts/guest/init" "$tree/init"
  # Not compressed: emulated processors unpack slowly, and the file is small.
  (cd "$tree" && find . | cpio --quiet -o -H newc -R 0:0) >"$work/initramfs"
  rm -rf "$tree"
}

# An ext4 image $2 of size $3 with the content of folder $1.
make_disk() {
  local content=$1 image=$2 size=$3
  rm -f "$image"
  truncate -s "$size" "$image"
  mkfs.ext4 -q -F -L machine -m 0 -E lazy_itable_init=1,lazy_journal_init=1,nodiscard -J size=32 -d "$content" "$image" >&2 ||
    fail "machine: mkfs.ext4 could not make $image ($size) from $content; is the disk full?"
}
