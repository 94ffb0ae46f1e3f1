# Starting, resetting and stopping machines. Sourced by Scripts/machine.
# shellcheck shell=bash

start_limit=300

machine_start() {
  [ $# -ge 1 ] || fail "machine start: needs a folder for the machine's files"
  local folder payload='' cold=no
  folder=$(absolute "$1")
  shift
  machine_name=machine machine_socket='' machine_role=server machine_address='' machine_mac='' machine_id=''
  while [ $# -gt 0 ]; do
    case "$1" in
      --payload) payload=${2:?machine start: --payload needs a folder}; shift 2 ;;
      --memory) machine_memory=${2:?machine start: --memory needs a number of MiB}; shift 2 ;;
      --name) machine_name=${2:?machine start: --name needs a host name}; shift 2 ;;
      --net-socket) machine_socket=$(absolute "${2:?machine start: --net-socket needs a path}"); shift 2 ;;
      --net-role) machine_role=${2:?machine start: --net-role needs server or client}; shift 2 ;;
      --cold) cold=yes; shift ;;
      *) fail "machine start: no such option: $1; see Scripts/machine help" ;;
    esac
  done
  [ -z "$payload" ] || [ -d "$payload" ] || fail "machine start: --payload $payload is not a folder"
  ! running_pid "$folder" >/dev/null || fail "machine start: a machine runs in $folder already; stop it first"
  machine_build
  machine_accelerator=$(accelerator)
  [ -z "$machine_socket" ] || choose_addresses

  mkdir -p "$folder"
  rm -f "$folder"/{payload.img,disk.qcow2,settings,console.log}
  if [ -n "$payload" ]; then
    make_disk "$payload" "$folder/payload.img" "$payload_size"
  else
    truncate -s "$payload_size" "$folder/payload.img"
  fi
  # What reset needs to start the same machine again.
  declare -p machine_name machine_memory machine_accelerator machine_socket machine_role machine_address machine_mac \
    machine_id | sed 's/^declare -- //' >"$folder/settings"
  [ -z "$payload" ] || echo 'machine_payload=yes' >>"$folder/settings"
  machine_payload=${payload:+yes}

  trap 'abandon "$folder"' EXIT
  if [ "$cold" = no ] && [ -z "$machine_socket" ] && [ "$(warm_fingerprint)" = "$(cat "$cache/warm/fingerprint" 2>/dev/null)" ]; then
    make_overlay "$cache/warm/disk.qcow2" qcow2 "$folder/disk.qcow2"
    launch "$folder" -incoming "exec:cat $(printf %q "$cache/warm/state")"
    await_agent "$folder"
  else
    make_overlay "$cache/image/root.img" raw "$folder/disk.qcow2"
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
  machine_payload=''
  # shellcheck source=/dev/null
  source "$folder/settings"
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

# Two joined machines get the addresses 192.168.77.1 and .2, fd77::1 and ::2; server and client are told apart by role.
choose_addresses() {
  local number
  case "$machine_role" in
    server) number=1 ;;
    client) number=2 ;;
    *) fail "machine start: --net-role $machine_role is unknown; use server (start it first) or client" ;;
  esac
  machine_address="192.168.77.$number/24,fd77::$number/64"
  machine_mac=52:54:00:77:00:0$number
  # Docker Swarm and systemd tell machines apart by it.
  machine_id=$(head -c 16 /dev/urandom | od -An -tx1 | tr -d ' \n')
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
  echo true >"$folder/script"
  until open_channel "$folder" && request "$folder" exec "5 $(stat -c %s "$folder/script")" "$folder/script" 10 && [ "$reply_status" = 0 ]; do
    running_pid "$folder" >/dev/null || fail "machine: the emulator of $folder died while it took up the warm state"
    [ $((SECONDS - begin)) -lt 60 ] || fail "machine: $folder did not answer within 60 s of taking up the warm state"
  done
}

# What the boot cannot do by itself: the clock and name of a machine that was saved earlier, and the payload.
prepare_guest() {
  local folder=$1 begin=$SECONDS output
  {
    printf 'set -e\ndate -s @%s >/dev/null\nhostname %q\necho %q >/etc/hostname\n' "$(date +%s.%N)" "$machine_name" "$machine_name"
    echo 'systemctl is-active --quiet docker.service nfs-server.service'
    [ -z "$machine_payload" ] || printf 'mkdir -p /payload\nmount -t ext4 -o ro,noload /dev/vdb /payload\n'
  } >"$folder/script"
  output=$(run_in_machine "$folder" 60 "$folder/script") || fail "machine: docker, the NFS server or the payload's disk is not in order in $folder: $output"
  rm -f "$folder/script"
}
