function __docker-nfsd_should_offer_completions_for_flags_or_options -a expected_commands
    set -l non_repeating_flags_or_options $argv[2..]
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __docker-nfsd_parse_tokens
    test "$commands" = "$expected_commands"; and return $non_repeating_flags_or_options_absent
end

function __docker-nfsd_should_offer_completions_for_positional -a expected_commands positional_index_comparison expected_positional_index
    set -l non_repeating_flags_or_options
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __docker-nfsd_parse_tokens
    test "$commands" = "$expected_commands" -a \( "$positional_index" "$positional_index_comparison" "$expected_positional_index" \)
end

function __docker-nfsd_parse_tokens -S
    set -l unparsed_tokens (__docker-nfsd_tokens -pc)
    switch $unparsed_tokens[1]
    case 'docker-nfsd'
        __docker-nfsd_parse_subcommand 0 'version' 'h/help'
        switch $unparsed_tokens[1]
        case 'serve'
            __docker-nfsd_parse_subcommand 0 'config=' 'state-directory=' 'runtime-directory=' 'mount-directory=' 'socket-directory=' 'docker-directory=' 'engine-socket=' 'share=' 'share-refresh=' 'options=' 'nfsvers=' 'mount-deadline=' 'probe-deadline=' 'resolve-deadline=' 'unmount-deadline=' 'remove-deadline=' 'retry=' 'restart-failed=' 'mount-method=' 'metrics=' 'log-level=' 'version' 'h/help'
        case 'status'
            __docker-nfsd_parse_subcommand 0 'json' 'config=' 'state-directory=' 'runtime-directory=' 'mount-directory=' 'socket-directory=' 'docker-directory=' 'engine-socket=' 'share=' 'share-refresh=' 'options=' 'nfsvers=' 'mount-deadline=' 'probe-deadline=' 'resolve-deadline=' 'unmount-deadline=' 'remove-deadline=' 'retry=' 'restart-failed=' 'mount-method=' 'metrics=' 'log-level=' 'version' 'h/help'
        case 'top'
            __docker-nfsd_parse_subcommand 0 'interval=' 'count=' 'config=' 'state-directory=' 'runtime-directory=' 'mount-directory=' 'socket-directory=' 'docker-directory=' 'engine-socket=' 'share=' 'share-refresh=' 'options=' 'nfsvers=' 'mount-deadline=' 'probe-deadline=' 'resolve-deadline=' 'unmount-deadline=' 'remove-deadline=' 'retry=' 'restart-failed=' 'mount-method=' 'metrics=' 'log-level=' 'version' 'h/help'
        case 'doctor'
            __docker-nfsd_parse_subcommand 1 'o=' 'config=' 'state-directory=' 'runtime-directory=' 'mount-directory=' 'socket-directory=' 'docker-directory=' 'engine-socket=' 'share=' 'share-refresh=' 'options=' 'nfsvers=' 'mount-deadline=' 'probe-deadline=' 'resolve-deadline=' 'unmount-deadline=' 'remove-deadline=' 'retry=' 'restart-failed=' 'mount-method=' 'metrics=' 'log-level=' 'version' 'h/help'
        case 'volume'
            __docker-nfsd_parse_subcommand 0 'version' 'h/help'
            switch $unparsed_tokens[1]
            case 'set'
                __docker-nfsd_parse_subcommand -r 2 'config=' 'state-directory=' 'runtime-directory=' 'mount-directory=' 'socket-directory=' 'docker-directory=' 'engine-socket=' 'share=' 'share-refresh=' 'options=' 'nfsvers=' 'mount-deadline=' 'probe-deadline=' 'resolve-deadline=' 'unmount-deadline=' 'remove-deadline=' 'retry=' 'restart-failed=' 'mount-method=' 'metrics=' 'log-level=' 'version' 'h/help'
            end
        case 'import'
            __docker-nfsd_parse_subcommand 1 'config=' 'state-directory=' 'runtime-directory=' 'mount-directory=' 'socket-directory=' 'docker-directory=' 'engine-socket=' 'share=' 'share-refresh=' 'options=' 'nfsvers=' 'mount-deadline=' 'probe-deadline=' 'resolve-deadline=' 'unmount-deadline=' 'remove-deadline=' 'retry=' 'restart-failed=' 'mount-method=' 'metrics=' 'log-level=' 'version' 'h/help'
        case 'help'
            __docker-nfsd_parse_subcommand -r 1 'version'
        end
    end
end

function __docker-nfsd_tokens
    if test (string split -m 1 -f 1 -- . "$FISH_VERSION") -gt 3
        commandline --tokens-raw $argv
    else
        commandline -o $argv
    end
end

function __docker-nfsd_parse_subcommand -S -a positional_count
    argparse -s r -- $argv
    set -l option_specs $argv[2..]
    set -l is_repeating_positional $_flag_r
    set -el _flag_r
    set -a commands $unparsed_tokens[1]
    set positional_index 0
    while true
        set -e unparsed_tokens[1]
        argparse -sn "$commands" $option_specs -- $unparsed_tokens 2> /dev/null
        set unparsed_tokens $argv
        set positional_index (math $positional_index + 1)
        for non_repeating_flag_or_option in $non_repeating_flags_or_options
            if set -ql "_flag_$(string replace -a - _ -- $non_repeating_flag_or_option)"
                set non_repeating_flags_or_options_absent 1
                break
            end
        end
        test (count $unparsed_tokens) -eq 0 -o \( -z "$is_repeating_positional" -a "$positional_index" -gt "$positional_count" \) && break
    end
end

function __docker-nfsd_complete_directories
    set -l token (commandline -t)
    string match -- '*/' $token
    set -l subdirs $token*/
    printf %s\n $subdirs
end

function __docker-nfsd_custom_completion
    set -x SAP_SHELL fish
    set -x SAP_SHELL_VERSION $FISH_VERSION
    set -l tokens (__docker-nfsd_tokens -p)
    if test -z "$(__docker-nfsd_tokens -t)"
        set -l index (count (__docker-nfsd_tokens -pc))
        set tokens $tokens[..$index] \'\' $tokens[(math $index + 1)..]
    end
    command $tokens[1] $argv $tokens
end

complete -c 'docker-nfsd' -f
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd" version' -l 'version' -d 'Show the version.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_positional "docker-nfsd" -eq 1' -fa 'serve' -d 'Answer Docker until a signal comes; mounts stay.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_positional "docker-nfsd" -eq 1' -fa 'status' -d 'Show volumes, their mounts, and who holds them.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_positional "docker-nfsd" -eq 1' -fa 'top' -d 'Show what volumes do, again and again.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_positional "docker-nfsd" -eq 1' -fa 'doctor' -d 'Check this host, and an export if one is given.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_positional "docker-nfsd" -eq 1' -fa 'volume' -d 'Change a volume.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_positional "docker-nfsd" -eq 1' -fa 'import' -d 'Print how a volume of another driver is defined for docker-nfsd.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_positional "docker-nfsd" -eq 1' -fa 'help' -d 'Show subcommand help information.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd serve" config' -l 'config' -d 'The settings file (default: /etc/docker/docker-nfsd.json).' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd serve" state-directory' -l 'state-directory' -d 'where volumes are defined (DOCKER_NFSD_STATE_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd serve" runtime-directory' -l 'runtime-directory' -d 'where references are kept until the next boot (DOCKER_NFSD_RUNTIME_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd serve" mount-directory' -l 'mount-directory' -d 'where volumes are mounted (DOCKER_NFSD_MOUNT_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd serve" socket-directory' -l 'socket-directory' -d 'where the sockets are made (DOCKER_NFSD_SOCKET_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd serve" docker-directory' -l 'docker-directory' -d 'Docker\'s data root, to tell which containers hold a volume (DOCKER_NFSD_DOCKER_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd serve" engine-socket' -l 'engine-socket' -d 'Docker\'s API, to make the engine look the driver up; none leaves that out (DOCKER_NFSD_ENGINE_SOCKET)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd serve" share' -l 'share' -d 'export for volumes that name no server, as HOST:/EXPORT; the same on every node (DOCKER_NFSD_SHARE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd serve" share-refresh' -l 'share-refresh' -d 'seconds between two looks into the share\'s catalogue (DOCKER_NFSD_SHARE_REFRESH)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd serve" options' -l 'options' -d 'mount options for every volume that does not say otherwise (DOCKER_NFSD_OPTIONS)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd serve" nfsvers' -l 'nfsvers' -d 'version of NFS for volumes that name none: 4.2, 4.1, 4.0, 3 or auto (DOCKER_NFSD_NFSVERS)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd serve" mount-deadline' -l 'mount-deadline' -d 'seconds for a mount, all in all (Docker waits 120) (DOCKER_NFSD_MOUNT_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd serve" probe-deadline' -l 'probe-deadline' -d 'seconds for a server to answer at all (DOCKER_NFSD_PROBE_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd serve" resolve-deadline' -l 'resolve-deadline' -d 'seconds for resolving a server\'s name (DOCKER_NFSD_RESOLVE_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd serve" unmount-deadline' -l 'unmount-deadline' -d 'seconds for each step of unmounting (Docker waits 60 for all) (DOCKER_NFSD_UNMOUNT_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd serve" remove-deadline' -l 'remove-deadline' -d 'seconds for archiving or deleting a removed volume\'s directory (Docker waits 60) (DOCKER_NFSD_REMOVE_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd serve" retry' -l 'retry' -d 'for how long a mount waits for a server that does not answer yet: boot, off or seconds (DOCKER_NFSD_RETRY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd serve" restart-failed' -l 'restart-failed' -d 'start containers again that could not start without a volume, once its server answers: on or off (DOCKER_NFSD_RESTART_FAILED)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd serve" mount-method' -l 'mount-method' -d 'how the kernel is asked: automatic, fsopen or mount (DOCKER_NFSD_MOUNT_METHOD)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd serve" metrics' -l 'metrics' -d 'where Prometheus reads metrics: unix:/PATH, 127.0.0.1:PORT, [::1]:PORT or none (DOCKER_NFSD_METRICS)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd serve" log-level' -l 'log-level' -d 'debug, info, notice, warning or error (DOCKER_NFSD_LOG_LEVEL)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd serve" version' -l 'version' -d 'Show the version.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd serve" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" json' -l 'json' -d 'As one JSON object.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" config' -l 'config' -d 'The settings file (default: /etc/docker/docker-nfsd.json).' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" state-directory' -l 'state-directory' -d 'where volumes are defined (DOCKER_NFSD_STATE_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" runtime-directory' -l 'runtime-directory' -d 'where references are kept until the next boot (DOCKER_NFSD_RUNTIME_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" mount-directory' -l 'mount-directory' -d 'where volumes are mounted (DOCKER_NFSD_MOUNT_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" socket-directory' -l 'socket-directory' -d 'where the sockets are made (DOCKER_NFSD_SOCKET_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" docker-directory' -l 'docker-directory' -d 'Docker\'s data root, to tell which containers hold a volume (DOCKER_NFSD_DOCKER_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" engine-socket' -l 'engine-socket' -d 'Docker\'s API, to make the engine look the driver up; none leaves that out (DOCKER_NFSD_ENGINE_SOCKET)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" share' -l 'share' -d 'export for volumes that name no server, as HOST:/EXPORT; the same on every node (DOCKER_NFSD_SHARE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" share-refresh' -l 'share-refresh' -d 'seconds between two looks into the share\'s catalogue (DOCKER_NFSD_SHARE_REFRESH)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" options' -l 'options' -d 'mount options for every volume that does not say otherwise (DOCKER_NFSD_OPTIONS)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" nfsvers' -l 'nfsvers' -d 'version of NFS for volumes that name none: 4.2, 4.1, 4.0, 3 or auto (DOCKER_NFSD_NFSVERS)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" mount-deadline' -l 'mount-deadline' -d 'seconds for a mount, all in all (Docker waits 120) (DOCKER_NFSD_MOUNT_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" probe-deadline' -l 'probe-deadline' -d 'seconds for a server to answer at all (DOCKER_NFSD_PROBE_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" resolve-deadline' -l 'resolve-deadline' -d 'seconds for resolving a server\'s name (DOCKER_NFSD_RESOLVE_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" unmount-deadline' -l 'unmount-deadline' -d 'seconds for each step of unmounting (Docker waits 60 for all) (DOCKER_NFSD_UNMOUNT_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" remove-deadline' -l 'remove-deadline' -d 'seconds for archiving or deleting a removed volume\'s directory (Docker waits 60) (DOCKER_NFSD_REMOVE_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" retry' -l 'retry' -d 'for how long a mount waits for a server that does not answer yet: boot, off or seconds (DOCKER_NFSD_RETRY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" restart-failed' -l 'restart-failed' -d 'start containers again that could not start without a volume, once its server answers: on or off (DOCKER_NFSD_RESTART_FAILED)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" mount-method' -l 'mount-method' -d 'how the kernel is asked: automatic, fsopen or mount (DOCKER_NFSD_MOUNT_METHOD)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" metrics' -l 'metrics' -d 'where Prometheus reads metrics: unix:/PATH, 127.0.0.1:PORT, [::1]:PORT or none (DOCKER_NFSD_METRICS)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" log-level' -l 'log-level' -d 'debug, info, notice, warning or error (DOCKER_NFSD_LOG_LEVEL)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" version' -l 'version' -d 'Show the version.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd status" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" interval' -l 'interval' -d 'Seconds between two tables, from 1 to 3600.' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" count' -l 'count' -d 'Show this many tables, and end.' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" config' -l 'config' -d 'The settings file (default: /etc/docker/docker-nfsd.json).' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" state-directory' -l 'state-directory' -d 'where volumes are defined (DOCKER_NFSD_STATE_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" runtime-directory' -l 'runtime-directory' -d 'where references are kept until the next boot (DOCKER_NFSD_RUNTIME_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" mount-directory' -l 'mount-directory' -d 'where volumes are mounted (DOCKER_NFSD_MOUNT_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" socket-directory' -l 'socket-directory' -d 'where the sockets are made (DOCKER_NFSD_SOCKET_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" docker-directory' -l 'docker-directory' -d 'Docker\'s data root, to tell which containers hold a volume (DOCKER_NFSD_DOCKER_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" engine-socket' -l 'engine-socket' -d 'Docker\'s API, to make the engine look the driver up; none leaves that out (DOCKER_NFSD_ENGINE_SOCKET)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" share' -l 'share' -d 'export for volumes that name no server, as HOST:/EXPORT; the same on every node (DOCKER_NFSD_SHARE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" share-refresh' -l 'share-refresh' -d 'seconds between two looks into the share\'s catalogue (DOCKER_NFSD_SHARE_REFRESH)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" options' -l 'options' -d 'mount options for every volume that does not say otherwise (DOCKER_NFSD_OPTIONS)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" nfsvers' -l 'nfsvers' -d 'version of NFS for volumes that name none: 4.2, 4.1, 4.0, 3 or auto (DOCKER_NFSD_NFSVERS)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" mount-deadline' -l 'mount-deadline' -d 'seconds for a mount, all in all (Docker waits 120) (DOCKER_NFSD_MOUNT_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" probe-deadline' -l 'probe-deadline' -d 'seconds for a server to answer at all (DOCKER_NFSD_PROBE_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" resolve-deadline' -l 'resolve-deadline' -d 'seconds for resolving a server\'s name (DOCKER_NFSD_RESOLVE_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" unmount-deadline' -l 'unmount-deadline' -d 'seconds for each step of unmounting (Docker waits 60 for all) (DOCKER_NFSD_UNMOUNT_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" remove-deadline' -l 'remove-deadline' -d 'seconds for archiving or deleting a removed volume\'s directory (Docker waits 60) (DOCKER_NFSD_REMOVE_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" retry' -l 'retry' -d 'for how long a mount waits for a server that does not answer yet: boot, off or seconds (DOCKER_NFSD_RETRY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" restart-failed' -l 'restart-failed' -d 'start containers again that could not start without a volume, once its server answers: on or off (DOCKER_NFSD_RESTART_FAILED)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" mount-method' -l 'mount-method' -d 'how the kernel is asked: automatic, fsopen or mount (DOCKER_NFSD_MOUNT_METHOD)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" metrics' -l 'metrics' -d 'where Prometheus reads metrics: unix:/PATH, 127.0.0.1:PORT, [::1]:PORT or none (DOCKER_NFSD_METRICS)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" log-level' -l 'log-level' -d 'debug, info, notice, warning or error (DOCKER_NFSD_LOG_LEVEL)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" version' -l 'version' -d 'Show the version.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd top" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" o' -s 'o' -d 'Mount options for the trial, as in --opt o=….' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" config' -l 'config' -d 'The settings file (default: /etc/docker/docker-nfsd.json).' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" state-directory' -l 'state-directory' -d 'where volumes are defined (DOCKER_NFSD_STATE_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" runtime-directory' -l 'runtime-directory' -d 'where references are kept until the next boot (DOCKER_NFSD_RUNTIME_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" mount-directory' -l 'mount-directory' -d 'where volumes are mounted (DOCKER_NFSD_MOUNT_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" socket-directory' -l 'socket-directory' -d 'where the sockets are made (DOCKER_NFSD_SOCKET_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" docker-directory' -l 'docker-directory' -d 'Docker\'s data root, to tell which containers hold a volume (DOCKER_NFSD_DOCKER_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" engine-socket' -l 'engine-socket' -d 'Docker\'s API, to make the engine look the driver up; none leaves that out (DOCKER_NFSD_ENGINE_SOCKET)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" share' -l 'share' -d 'export for volumes that name no server, as HOST:/EXPORT; the same on every node (DOCKER_NFSD_SHARE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" share-refresh' -l 'share-refresh' -d 'seconds between two looks into the share\'s catalogue (DOCKER_NFSD_SHARE_REFRESH)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" options' -l 'options' -d 'mount options for every volume that does not say otherwise (DOCKER_NFSD_OPTIONS)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" nfsvers' -l 'nfsvers' -d 'version of NFS for volumes that name none: 4.2, 4.1, 4.0, 3 or auto (DOCKER_NFSD_NFSVERS)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" mount-deadline' -l 'mount-deadline' -d 'seconds for a mount, all in all (Docker waits 120) (DOCKER_NFSD_MOUNT_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" probe-deadline' -l 'probe-deadline' -d 'seconds for a server to answer at all (DOCKER_NFSD_PROBE_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" resolve-deadline' -l 'resolve-deadline' -d 'seconds for resolving a server\'s name (DOCKER_NFSD_RESOLVE_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" unmount-deadline' -l 'unmount-deadline' -d 'seconds for each step of unmounting (Docker waits 60 for all) (DOCKER_NFSD_UNMOUNT_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" remove-deadline' -l 'remove-deadline' -d 'seconds for archiving or deleting a removed volume\'s directory (Docker waits 60) (DOCKER_NFSD_REMOVE_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" retry' -l 'retry' -d 'for how long a mount waits for a server that does not answer yet: boot, off or seconds (DOCKER_NFSD_RETRY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" restart-failed' -l 'restart-failed' -d 'start containers again that could not start without a volume, once its server answers: on or off (DOCKER_NFSD_RESTART_FAILED)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" mount-method' -l 'mount-method' -d 'how the kernel is asked: automatic, fsopen or mount (DOCKER_NFSD_MOUNT_METHOD)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" metrics' -l 'metrics' -d 'where Prometheus reads metrics: unix:/PATH, 127.0.0.1:PORT, [::1]:PORT or none (DOCKER_NFSD_METRICS)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" log-level' -l 'log-level' -d 'debug, info, notice, warning or error (DOCKER_NFSD_LOG_LEVEL)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" version' -l 'version' -d 'Show the version.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd doctor" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume" version' -l 'version' -d 'Show the version.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_positional "docker-nfsd volume" -eq 1' -fa 'set' -d 'Change options of a volume that is not mounted.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume set" config' -l 'config' -d 'The settings file (default: /etc/docker/docker-nfsd.json).' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume set" state-directory' -l 'state-directory' -d 'where volumes are defined (DOCKER_NFSD_STATE_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume set" runtime-directory' -l 'runtime-directory' -d 'where references are kept until the next boot (DOCKER_NFSD_RUNTIME_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume set" mount-directory' -l 'mount-directory' -d 'where volumes are mounted (DOCKER_NFSD_MOUNT_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume set" socket-directory' -l 'socket-directory' -d 'where the sockets are made (DOCKER_NFSD_SOCKET_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume set" docker-directory' -l 'docker-directory' -d 'Docker\'s data root, to tell which containers hold a volume (DOCKER_NFSD_DOCKER_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume set" engine-socket' -l 'engine-socket' -d 'Docker\'s API, to make the engine look the driver up; none leaves that out (DOCKER_NFSD_ENGINE_SOCKET)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume set" share' -l 'share' -d 'export for volumes that name no server, as HOST:/EXPORT; the same on every node (DOCKER_NFSD_SHARE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume set" share-refresh' -l 'share-refresh' -d 'seconds between two looks into the share\'s catalogue (DOCKER_NFSD_SHARE_REFRESH)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume set" options' -l 'options' -d 'mount options for every volume that does not say otherwise (DOCKER_NFSD_OPTIONS)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume set" nfsvers' -l 'nfsvers' -d 'version of NFS for volumes that name none: 4.2, 4.1, 4.0, 3 or auto (DOCKER_NFSD_NFSVERS)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume set" mount-deadline' -l 'mount-deadline' -d 'seconds for a mount, all in all (Docker waits 120) (DOCKER_NFSD_MOUNT_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume set" probe-deadline' -l 'probe-deadline' -d 'seconds for a server to answer at all (DOCKER_NFSD_PROBE_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume set" resolve-deadline' -l 'resolve-deadline' -d 'seconds for resolving a server\'s name (DOCKER_NFSD_RESOLVE_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume set" unmount-deadline' -l 'unmount-deadline' -d 'seconds for each step of unmounting (Docker waits 60 for all) (DOCKER_NFSD_UNMOUNT_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume set" remove-deadline' -l 'remove-deadline' -d 'seconds for archiving or deleting a removed volume\'s directory (Docker waits 60) (DOCKER_NFSD_REMOVE_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume set" retry' -l 'retry' -d 'for how long a mount waits for a server that does not answer yet: boot, off or seconds (DOCKER_NFSD_RETRY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume set" restart-failed' -l 'restart-failed' -d 'start containers again that could not start without a volume, once its server answers: on or off (DOCKER_NFSD_RESTART_FAILED)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume set" mount-method' -l 'mount-method' -d 'how the kernel is asked: automatic, fsopen or mount (DOCKER_NFSD_MOUNT_METHOD)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume set" metrics' -l 'metrics' -d 'where Prometheus reads metrics: unix:/PATH, 127.0.0.1:PORT, [::1]:PORT or none (DOCKER_NFSD_METRICS)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume set" log-level' -l 'log-level' -d 'debug, info, notice, warning or error (DOCKER_NFSD_LOG_LEVEL)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume set" version' -l 'version' -d 'Show the version.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd volume set" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd import" config' -l 'config' -d 'The settings file (default: /etc/docker/docker-nfsd.json).' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd import" state-directory' -l 'state-directory' -d 'where volumes are defined (DOCKER_NFSD_STATE_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd import" runtime-directory' -l 'runtime-directory' -d 'where references are kept until the next boot (DOCKER_NFSD_RUNTIME_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd import" mount-directory' -l 'mount-directory' -d 'where volumes are mounted (DOCKER_NFSD_MOUNT_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd import" socket-directory' -l 'socket-directory' -d 'where the sockets are made (DOCKER_NFSD_SOCKET_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd import" docker-directory' -l 'docker-directory' -d 'Docker\'s data root, to tell which containers hold a volume (DOCKER_NFSD_DOCKER_DIRECTORY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd import" engine-socket' -l 'engine-socket' -d 'Docker\'s API, to make the engine look the driver up; none leaves that out (DOCKER_NFSD_ENGINE_SOCKET)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd import" share' -l 'share' -d 'export for volumes that name no server, as HOST:/EXPORT; the same on every node (DOCKER_NFSD_SHARE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd import" share-refresh' -l 'share-refresh' -d 'seconds between two looks into the share\'s catalogue (DOCKER_NFSD_SHARE_REFRESH)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd import" options' -l 'options' -d 'mount options for every volume that does not say otherwise (DOCKER_NFSD_OPTIONS)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd import" nfsvers' -l 'nfsvers' -d 'version of NFS for volumes that name none: 4.2, 4.1, 4.0, 3 or auto (DOCKER_NFSD_NFSVERS)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd import" mount-deadline' -l 'mount-deadline' -d 'seconds for a mount, all in all (Docker waits 120) (DOCKER_NFSD_MOUNT_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd import" probe-deadline' -l 'probe-deadline' -d 'seconds for a server to answer at all (DOCKER_NFSD_PROBE_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd import" resolve-deadline' -l 'resolve-deadline' -d 'seconds for resolving a server\'s name (DOCKER_NFSD_RESOLVE_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd import" unmount-deadline' -l 'unmount-deadline' -d 'seconds for each step of unmounting (Docker waits 60 for all) (DOCKER_NFSD_UNMOUNT_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd import" remove-deadline' -l 'remove-deadline' -d 'seconds for archiving or deleting a removed volume\'s directory (Docker waits 60) (DOCKER_NFSD_REMOVE_DEADLINE)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd import" retry' -l 'retry' -d 'for how long a mount waits for a server that does not answer yet: boot, off or seconds (DOCKER_NFSD_RETRY)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd import" restart-failed' -l 'restart-failed' -d 'start containers again that could not start without a volume, once its server answers: on or off (DOCKER_NFSD_RESTART_FAILED)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd import" mount-method' -l 'mount-method' -d 'how the kernel is asked: automatic, fsopen or mount (DOCKER_NFSD_MOUNT_METHOD)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd import" metrics' -l 'metrics' -d 'where Prometheus reads metrics: unix:/PATH, 127.0.0.1:PORT, [::1]:PORT or none (DOCKER_NFSD_METRICS)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd import" log-level' -l 'log-level' -d 'debug, info, notice, warning or error (DOCKER_NFSD_LOG_LEVEL)' -rfka ''
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd import" version' -l 'version' -d 'Show the version.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd import" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'docker-nfsd' -n '__docker-nfsd_should_offer_completions_for_flags_or_options "docker-nfsd help" version' -l 'version' -d 'Show the version.'
