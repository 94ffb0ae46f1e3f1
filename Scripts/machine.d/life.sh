# SPDX-License-Identifier: AGPL-3.0-or-later
# Starting, resetting and stopping machines. Sourced by Scripts/machine.
# shellcheck shell=bash

start_limit=300

# What a machine is when nothing else is said.
new_machine() {
  machine_name=machine machine_socket='' machine_number='' machine_payload=''
  # Docker Swarm and systemd tell machines apart by it.
  machine_id=$(random_hex)
}

random_hex() {
  head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n'
}

machine_start() {
  [ $# -ge 1 ] || fail "machine start: needs a folder for the machine's files"
  local folder payload='' cold=no
  folder=$(absolute "$1")
  shift
  new_machine
  while [ $# -gt 0 ]; do
    case "$1" in
      --payload) payload=${2:?machine start: --payload needs a folder}; shift 2 ;;
      --memory) machine_memory=${2:?machine start: --memory needs a number of MiB}; shift 2 ;;
      --name) machine_name=${2:?machine start: --name needs a host name}; shift 2 ;;
      --net-socket) machine_socket=$(absolute "${2:?machine start: --net-socket needs a path}"); shift 2 ;;
      --net-number) machine_number=${2:?machine start: --net-number needs 1 or 2}; shift 2 ;;
      --cold) cold=yes; shift ;;
      *) fail "machine start: no such option: $1; see Scripts/machine help" ;;
    esac
  done
  [ -z "$payload" ] || [ -d "$payload" ] || fail "machine start: --payload $payload is not a folder"
  ! running_pid "$folder" >/dev/null || fail "machine start: a machine runs in $folder already; stop it first"
  case "$machine_socket:$machine_number" in
    : | ?*:[12]) ;;
    *) fail "machine start: --net-socket PATH and --net-number 1 or 2 belong together; give both or neither" ;;
  esac
  # The kernel allows a socket's path 107 bytes.
  [ "${#machine_socket}" -le 105 ] ||
    fail "machine start: --net-socket $machine_socket is too long for a socket; use a shorter path"
  machine_build
  machine_accelerator=$(accelerator)
  mkdir -p "$folder"
  rm -f "$folder"/{payload.img,disk.qcow2,settings,console.log}
  if [ -n "$payload" ]; then
    machine_payload=yes
    make_payload "$payload" "$folder/payload.img"
  else
    truncate -s "$payload_size" "$folder/payload.img"
  fi
  machine_base=$suite_cache/image
  if [ "$cold" = no ] && [ "$(warm_fingerprint)" = "$(cat "$suite_cache/warm/fingerprint" 2>/dev/null)" ]; then
    machine_base=$suite_cache/warm
  fi
  machine_base_fingerprint=$(cat "$machine_base/fingerprint")
  # What reset needs to start the same machine again.
  declare -p machine_name machine_memory machine_accelerator machine_socket machine_number machine_id machine_payload \
    machine_base machine_base_fingerprint suite_cache | sed 's/^declare -- //' >"$folder/settings"

  trap 'abandon "$folder"' EXIT
  if [ "$machine_base" = "$suite_cache/warm" ]; then
    make_overlay "$suite_cache/warm/disk.qcow2" qcow2 "$folder/disk.qcow2"
    launch "$folder" -incoming "exec:cat $(printf %q "$suite_cache/warm/state")"
    await_agent "$folder"
  else
    make_overlay "$suite_cache/image/root.img" raw "$folder/disk.qcow2"
    launch "$folder"
    await_boot "$folder"
  fi
  prepare_guest "$folder"
  trap - EXIT
  step "the machine in $folder is up"
}

machine_reset() {
  [ $# -eq 1 ] || fail "machine reset: needs the machine's folder and nothing else"
  local folder
  folder=$(absolute "$1")
  [ -s "$folder/settings" ] || fail "machine reset: no machine was started in $folder; start it first"
  need_emulator
  # shellcheck source=/dev/null
  source "$folder/settings"
  # The machine's disk holds only what differs from the one that it was started from.
  [ "$(cat "$machine_base/fingerprint" 2>/dev/null)" = "$machine_base_fingerprint" ] ||
    fail "machine reset: the image was made anew since $folder was started; stop the machine and start another"
  cut_power "$folder"
  mv -f "$folder/console.log" "$folder/console.log.before" 2>/dev/null || true
  trap 'abandon "$folder"' EXIT
  launch "$folder"
  await_boot "$folder"
  prepare_guest "$folder"
  trap - EXIT
  step "the machine in $folder is up again"
}

machine_stop() {
  [ $# -eq 1 ] || fail "machine stop: needs the machine's folder and nothing else"
  local folder
  folder=$(absolute "$1")
  [ -d "$folder" ] || return 0
  cut_power "$folder"
  if [ -s "$folder/settings" ]; then
    # shellcheck source=/dev/null
    source "$folder/settings"
    [ -z "$machine_socket" ] || rm -f "$machine_socket.$machine_number"
  fi
  rm -f "$folder"/{pid,settings,disk.qcow2,payload.img,console.log,console.log.before,emulator.log,script} \
    "$folder"/channel*.{in,out,lock} "$folder"/monitor.{in,out}
  rmdir "$folder" 2>/dev/null || true
}

# Ends a start that failed, with what the machine last said.
abandon() {
  console_tail "$1" 40
  cut_power "$1"
  fail "machine: the machine in $1 did not come up; its console is in $1/console.log"
}

make_overlay() {
  qemu-img create -q -f qcow2 -F "$2" -b "$1" "$3" >&2 || fail "machine: could not make the overlay $3 over $1; is the disk full?"
}

# Waits until the machine writes to its console that it is ready: watching a file here costs the guest nothing.
await_boot() {
  local folder=$1 begin=$SECONDS told=$SECONDS
  while true; do
    case "$(tr -d '\r' <"$folder/console.log" 2>/dev/null)" in
      *'machine: ready after '*) break ;;
      *'machine: failed: '*) fail "machine: $(grep -ao 'failed: .*' "$folder/console.log" | tail -n 1 | tr -d '\r')" ;;
    esac
    running_pid "$folder" >/dev/null || fail "machine: the emulator of $folder died during the boot"
    [ $((SECONDS - begin)) -lt "$start_limit" ] || fail "machine: $folder was not ready after $start_limit s"
    if [ $((SECONDS - told)) -ge 10 ]; then
      told=$SECONDS
      step "booting ($((SECONDS - begin)) s)"
    fi
    sleep 0.2
  done
  step "booted in $((SECONDS - begin)) s"
}

await_agent() {
  local folder=$1 begin=$SECONDS reply_status=''
  # Five seconds and five bytes is what the agent is told below.
  echo true >"$folder/script"
  until open_channel "$folder" && request "$folder" exec "5 5" "$folder/script" 10 && [ "$reply_status" = 0 ]; do
    running_pid "$folder" >/dev/null || fail "machine: the emulator of $folder died while it took up the warm state"
    [ $((SECONDS - begin)) -lt 60 ] || fail "machine: $folder did not answer within 60 s of taking up the warm state"
  done
}

# What the boot cannot do by itself: clock, name, chance and addresses of a machine that was saved earlier; the payload.
prepare_guest() {
  local folder=$1 output
  {
    printf 'set -e\ndate -s @%s >/dev/null\nhostname %q\necho %q >/etc/hostname\n' "$(date +%s.%N)" "$machine_name" "$machine_name"
    printf 'systemctl is-active docker.service nfs-server.service\n'
    # 0x5207 is RNDRESEEDCRNG: without it two machines from one state would draw the same identifiers.
    printf "echo %s >/dev/urandom\nperl -e 'open F, \">/dev/urandom\"; ioctl F, 0x5207, 0'\n" "$(random_hex)$(random_hex)"
    [ -z "$machine_number" ] || join_commands
    [ -z "$machine_payload" ] || printf 'mkdir -p /payload\nmount -t ext4 -o ro,noload /dev/vdb /payload\n'
  } >"$folder/script"
  output=$(run_in_machine "$folder" 120 "$folder/script") ||
    fail "machine: docker, the NFS server or the payload's disk is not in order in $folder (status $?): ${output//$'\n'/; }"
  rm -f "$folder/script"
}

# Makes a machine with the warm state's address and identity another one; after a real boot it changes nothing.
join_commands() {
  cat <<END
[ "\$(cat /sys/class/net/eth0/address)" = $(machine_mac) ] || {
  echo $machine_id >/etc/machine-id
  ip link set eth0 address $(machine_mac)
  /usr/local/libexec/machine-network machine.address=$(machine_addresses)
  # A server says who it is by the host name that it started with; a client takes two servers of one name for one.
  systemctl restart nfs-server.service
}
END
}
