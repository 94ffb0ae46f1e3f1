# SPDX-License-Identifier: AGPL-3.0-or-later
# The warm state: the memory of a machine that has booted, saved once per build. An emulated boot takes most of a
# minute, taking up the saved state takes seconds. Sourced by Scripts/machine.
# shellcheck shell=bash

# The state fits only the disk it was running from and the very same virtual hardware.
warm_fingerprint() {
  {
    cat "$suite_cache/image/fingerprint" "$machine_parts/qemu.sh" "$machine_parts/warm.sh"
    "$emulator" --version
    printf '%s %s\n' "$(accelerator)" "$machine_memory"
  } | sha256sum | cut -c1-32
}

build_warm_state() {
  local wanted folder=$suite_cache/warm.new answer
  # A memory size of one's own, given to start, is no reason to make another state.
  [ "$machine_memory" = "$default_memory" ] || return 0
  wanted=$(warm_fingerprint)
  if [ "$(cat "$suite_cache/warm/fingerprint" 2>/dev/null)" = "$wanted" ]; then
    step "the warm state is up to date"
    return
  fi
  step "booting once to save the warm state"
  cut_power "$folder"
  rm -rf "$folder" "$suite_cache/warm"
  mkdir -p "$folder"
  (
    new_machine
    machine_accelerator=$(accelerator)
    truncate -s "$payload_size" "$folder/payload.img"
    # Named from the overlay's own folder, so that the cache can be moved.
    make_overlay ../image/root.img raw "$folder/disk.qcow2"
    trap 'abandon "$folder"' EXIT
    launch "$folder"
    await_boot "$folder"
    prepare_guest "$folder"
    # Memory that only holds copies of the disk need not be saved.
    echo 'sync; echo 3 >/proc/sys/vm/drop_caches; sleep 1' >"$folder/script"
    run_in_machine "$folder" 60 "$folder/script"
    monitor "$folder" '"execute": "qmp_capabilities"' >/dev/null
    # Not stopped first: the state would be taken up stopped, too.
    monitor "$folder" '"execute": "migrate-set-parameters", "arguments": {"max-bandwidth": 4000000000}' >/dev/null
    monitor "$folder" "\"execute\": \"migrate\", \"arguments\": {\"uri\": \"exec:cat >$(printf %q "$folder/state")\"}" >/dev/null
    while true; do
      answer=$(monitor "$folder" '"execute": "query-migrate"')
      case "$answer" in
        *'"status": "completed"'*) break ;;
        *'"status": "failed"'* | *'"error"'*) fail "machine build: the emulator could not save the machine: $answer" ;;
      esac
      sleep 0.2
    done
    monitor "$folder" '"execute": "quit"' >/dev/null
    while running_pid "$folder" >/dev/null; do sleep 0.05; done
    trap - EXIT
  ) || exit 1
  printf '%s\n' "$wanted" >"$folder/fingerprint"
  rm -f "$folder"/{payload.img,script,settings,pid} "$folder"/channel* "$folder"/monitor.*
  mv "$folder" "$suite_cache/warm"
  step "the warm state is saved: $(du -sh "$suite_cache/warm" | cut -f1)"
}
