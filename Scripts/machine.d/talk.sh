# SPDX-License-Identifier: AGPL-3.0-or-later
# Runs scripts in a machine and copies files to it, over virtio-serial ports. Sourced by Scripts/machine.
# The guest's side, with the protocol, is guest/root/usr/local/libexec/machine-agent.
# shellcheck shell=bash

# Takes a free channel of the machine in folder $1, waiting for one if need be: sets channel, to, from.
open_channel() {
  local folder=$1
  running_pid "$folder" >/dev/null || fail "machine: no machine runs in $folder; start it with: Scripts/machine start $folder"
  for ((channel = 1; channel <= channel_count; channel++)); do
    exec {channel_lock}>"$folder/channel$channel.lock"
    if flock -n "$channel_lock"; then break; fi
    exec {channel_lock}>&-
  done
  if [ "$channel" -gt "$channel_count" ]; then
    channel=$((1 + RANDOM % channel_count))
    exec {channel_lock}>"$folder/channel$channel.lock"
    flock "$channel_lock"
  fi
  # Opened for reading and writing first, for that never blocks; then the answers for reading only, so that their end
  # is seen when the emulator dies.
  exec {to}<>"$folder/channel$channel.in"
  local both
  exec {both}<>"$folder/channel$channel.out"
  exec {from}<"$folder/channel$channel.out"
  exec {both}>&-
}

close_channel() {
  exec {to}>&- {from}<&- {channel_lock}>&-
}

# Sends the request whose first word is $2, whose further words are $3 and whose body is file $4 to the machine in
# folder $1, then prints what the answer holds and sets reply_status. Fails after $5 seconds without an answer.
request() {
  local folder=$1 verb=$2 words=$3 body=$4 seconds=$5 id line='' part size deadline sender
  id="$BASHPID-$RANDOM$RANDOM"
  deadline=$((SECONDS + seconds))
  # In the background, because a machine that hangs would let this block for ever.
  { printf '%s %s %s\n' "$verb" "$id" "$words"; cat "$body"; } >&"$to" &
  sender=$!
  while true; do
    part=''
    if IFS= read -r -t 2 part <&"$from"; then
      line+=$part
      # Lines that are not the answer to this request are what an earlier one, given up meanwhile, left behind.
      case "$line" in
        *"reply $id "*) break ;;
      esac
      line=''
    else
      line+=$part
      if ! running_pid "$folder" >/dev/null; then
        kill "$sender" 2>/dev/null || true
        fail "machine: the machine in $folder died while $verb ran; look at $folder/console.log, then reset it"
      fi
      if [ "$SECONDS" -ge "$deadline" ]; then
        kill "$sender" 2>/dev/null || true
        close_channel
        return 1
      fi
    fi
  done
  wait "$sender"
  read -r reply_status size <<<"${line#*"reply $id "}"
  head -c "$size" <&"$from"
  close_channel
}

machine_exec() {
  local folder seconds=600 script status=0
  [ $# -ge 1 ] || fail "machine exec: needs the machine's folder"
  folder=$(absolute "$1")
  shift
  while [ $# -gt 0 ]; do
    case "$1" in
      --timeout) seconds=${2:?machine exec: --timeout needs a number of seconds}; shift 2 ;;
      *) fail "machine exec: no such option: $1; only --timeout SECONDS is known" ;;
    esac
  done
  [[ "$seconds" =~ ^[0-9]+$ ]] || fail "machine exec: --timeout $seconds is not a whole number of seconds"
  script=$(mktemp)
  # shellcheck disable=SC2064 # the name is known now
  trap "rm -f '$script'" EXIT
  cat >"$script"
  run_in_machine "$folder" "$seconds" "$script" || status=$?
  rm -f "$script"
  exit "$status"
}

# Runs the script in file $3 in the machine in folder $1, for $2 seconds at most; prints and returns what it does.
run_in_machine() {
  local folder=$1 seconds=$2 script=$3 reply_status=''
  open_channel "$folder"
  # The guest keeps the time limit; the host waits longer, for the guest may be slow to say that it has passed.
  request "$folder" exec "$seconds $(stat -c %s "$script")" "$script" $((seconds + 60)) ||
    fail "machine: $folder did not answer for $((seconds + 60)) s; look at $folder/console.log, then reset the machine"
  return "$reply_status"
}

machine_copy() {
  [ $# -eq 3 ] || fail "machine copy: needs DIR HOSTFILE GUESTPATH"
  local folder file=$2 path=$3 reply_status=''
  folder=$(absolute "$1")
  [ -r "$file" ] || fail "machine copy: cannot read $file"
  case "$path" in
    /*) ;;
    *) fail "machine copy: $path is not an absolute path in the machine" ;;
  esac
  open_channel "$folder"
  request "$folder" copy "$(stat -Lc %s "$file") $path" "$file" 300 ||
    fail "machine copy: $folder did not take $file within 300 s; look at $folder/console.log, then reset the machine"
  [ "$reply_status" = 0 ] || fail "machine copy: could not write $path in $folder; see its words above"
  [ ! -x "$file" ] || machine_exec "$folder" <<<"chmod +x $(printf %q "$path") && sync $(printf %q "$path")"
}
