# SPDX-License-Identifier: AGPL-3.0-or-later
# The emulator: whether the processor's own virtualisation works, the command line, starting and killing.
# Sourced by Scripts/machine.
# shellcheck shell=bash

default_memory=2048
machine_memory=$default_memory
# The payload's disk is part of the warm state, so it has one size whatever is on it.
payload_size=4G

# Prints kvm or tcg. /dev/kvm can exist and still not run a kernel, so one is booted as far as its first program; the
# answer is kept with whether the device was there, so that it is asked again when that changes.
accelerator() {
  local device=absent known answer=tcg
  if [ -n "${DOCKER_NFSD_MACHINE_ACCEL:-}" ]; then
    printf '%s\n' "$DOCKER_NFSD_MACHINE_ACCEL"
    return
  fi
  [ ! -w /dev/kvm ] || device=present
  known=$(cat "$cache/accelerator" 2>/dev/null || true)
  if [ "${known#* }" = "$device" ]; then
    printf '%s\n' "${known% *}"
    return
  fi
  if [ "$device" = present ]; then
    step "probing whether /dev/kvm runs a kernel"
    if timeout -k 1 20 "$emulator" -nodefaults -no-user-config -display none -no-reboot -m 256 \
      -accel kvm -cpu host -kernel "$suite_cache/image/vmlinuz" -initrd "$suite_cache/image/initramfs" \
      -append 'console=ttyS0 quiet panic=-1 machine.probe' -serial stdio </dev/null 2>&1 |
      grep -q 'machine: the kernel runs'; then
      answer=kvm
    fi
  fi
  step "machines run by $answer"
  printf '%s %s\n' "$answer" "$device" >"$cache/accelerator"
  printf '%s\n' "$answer"
}

accelerator_arguments() {
  case "$1" in
    kvm) printf '%s\n' -accel kvm -cpu host ;;
    # No newer processor: every feature more is code that an emulated kernel or library chooses and that runs no faster.
    tcg) printf '%s\n' -accel tcg,thread=multi -cpu Nehalem ;;
    *) fail "machine: DOCKER_NFSD_MACHINE_ACCEL is $1; set it to kvm or tcg" ;;
  esac
}

# Starts the emulator for the machine in folder $1; further arguments are added to its command line. Returns when it
# runs in the background, its process number in $1/pid.
launch() {
  local folder=$1 channel arguments append
  shift
  append="console=ttyS0 root=/dev/vda quiet loglevel=4 systemd.show_status=0 mitigations=off apparmor=0 selinux=0 audit=0 panic=-1"
  append+=" systemd.hostname=$machine_name"
  [ -z "$machine_number" ] || append+=" machine.address=$(machine_addresses) systemd.machine_id=$machine_id"
  mapfile -t arguments < <(accelerator_arguments "$machine_accelerator")
  arguments+=(
    -name "$machine_name" -nodefaults -no-user-config -display none -no-reboot -daemonize -pidfile "$folder/pid"
    -machine pc,usb=off,vmport=off -smp 2 -m "$machine_memory"
    -kernel "$suite_cache/image/vmlinuz" -initrd "$suite_cache/image/initramfs" -append "$append"
    -serial "file:$folder/console.log"
    # A power cut is the emulator's death, not the host's: what it has written is safe without waiting for the disk.
    -drive "file=$folder/disk.qcow2,if=none,id=root,format=qcow2,cache=unsafe"
    -device virtio-blk-pci,drive=root
    -drive "file=$folder/payload.img,if=none,id=payload,format=raw,cache=unsafe,read-only=on"
    -device virtio-blk-pci,drive=payload
    -device virtio-serial-pci
  )
  # Pairs of FIFOs rather than sockets: the emulator holds both ends open, so the guest always sees a host.
  make_pipe "$folder/monitor"
  arguments+=(-chardev "pipe,id=monitor,path=$folder/monitor" -mon chardev=monitor,mode=control)
  for ((channel = 1; channel <= channel_count; channel++)); do
    make_pipe "$folder/channel$channel"
    arguments+=(
      -chardev "pipe,id=channel$channel,path=$folder/channel$channel"
      -device "virtserialport,nr=$channel,chardev=channel$channel,name=machine.$channel"
    )
  done
  # The card is there in every machine, so that the warm state fits joined ones, too.
  if [ -n "$machine_socket" ]; then
    # Datagrams: the two machines start, stop and reset independently.
    local mine=$machine_socket.$machine_number other=$machine_socket.$((3 - machine_number))
    rm -f "$mine"
    arguments+=(-netdev "dgram,id=link,local.type=unix,local.path=$mine,remote.type=unix,remote.path=$other")
  else
    arguments+=(-netdev hubport,id=link,hubid=0)
  fi
  arguments+=(-device "virtio-net-pci,netdev=link,mac=$(machine_mac),romfile=")
  (
    # Whatever the caller has open, a lock or a pipe that somebody waits on, must not stay open while the machine lives.
    close_descriptors
    exec "$emulator" "${arguments[@]}" "$@" </dev/null >"$folder/emulator.log" 2>&1
  ) || {
    tail -n 5 "$folder/emulator.log" >&2
    fail "machine: the emulator did not start for $folder; see its words above"
  }
}

# Two joined machines have the addresses 192.168.77.1 and .2, fd77::1 and fd77::2.
machine_addresses() {
  printf '192.168.77.%s/24,fd77::%s/64' "$machine_number" "$machine_number"
}

machine_mac() {
  printf '52:54:00:77:00:0%s' "${machine_number:-0}"
}

close_descriptors() {
  local descriptor
  for descriptor in "/proc/$BASHPID/fd"/*; do
    [ "${descriptor##*/}" -le 2 ] || eval "exec ${descriptor##*/}>&-"
  done
}

make_pipe() {
  rm -f "$1.in" "$1.out"
  mkfifo "$1.in" "$1.out"
}

# Kills the emulator of folder $1 if it runs: a power cut.
cut_power() {
  local pid
  pid=$(running_pid "$1") || { rm -f "$1/pid"; return 0; }
  kill -KILL "$pid" 2>/dev/null || true
  while running_pid "$1" >/dev/null; do sleep 0.05; done
  rm -f "$1/pid"
}

# Sends the command $2 (JSON without braces) to the emulator of folder $1 and prints its answer. The first command of
# a machine must be "execute": "qmp_capabilities".
monitor() {
  local folder=$1 command=$2 line to from
  exec {to}<>"$folder/monitor.in" {from}<>"$folder/monitor.out"
  printf '{%s}\n' "$command" >&"$to"
  while read -r -t 60 line <&"$from"; do
    case "$line" in
      *'"return"'* | *'"error"'*)
        exec {to}>&- {from}>&-
        printf '%s\n' "$line"
        return 0 ;;
    esac
  done
  exec {to}>&- {from}>&-
  fail "machine: the emulator of $folder did not answer {$command} within 60 s; stop the machine"
}

# Makes the payload's disk $2 from folder $1, everything owned by root whoever owns it here.
make_payload() {
  make_disk "$1" "$2" "$payload_size"
  {
    echo 'rmdir lost+found'
    (cd "$1" && find . -mindepth 1 '(' -not -uid 0 -o -not -gid 0 ')' -printf 'sif "/%P" uid 0\nsif "/%P" gid 0\n')
    printf 'sif / uid 0\nsif / gid 0\n'
  } | debugfs -w -f - "$2" >/dev/null 2>&1 || fail "machine: debugfs could not make root the owner of $2; is the disk full?"
}
