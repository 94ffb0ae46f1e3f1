function __mountpoint-plugin_should_offer_completions_for_flags_or_options -a expected_commands
    set -l non_repeating_flags_or_options $argv[2..]
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __mountpoint-plugin_parse_tokens
    test "$commands" = "$expected_commands"; and return $non_repeating_flags_or_options_absent
end

function __mountpoint-plugin_should_offer_completions_for_positional -a expected_commands positional_index_comparison expected_positional_index
    set -l non_repeating_flags_or_options
    set -l non_repeating_flags_or_options_absent 0
    set -l positional_index 0
    set -l commands
    __mountpoint-plugin_parse_tokens
    test "$commands" = "$expected_commands" -a \( "$positional_index" "$positional_index_comparison" "$expected_positional_index" \)
end

function __mountpoint-plugin_parse_tokens -S
    set -l unparsed_tokens (__mountpoint-plugin_tokens -pc)
    switch $unparsed_tokens[1]
    case 'mountpoint-plugin'
        __mountpoint-plugin_parse_subcommand 0 'version' 'h/help'
        switch $unparsed_tokens[1]
        case 'list'
            __mountpoint-plugin_parse_subcommand 0 'version' 'h/help'
        case 'status'
            __mountpoint-plugin_parse_subcommand 1 'json' 'socket-directory=' 'settings-directory=' 'state-directory=' 'runtime-directory=' 'docker-directory=' 'version' 'h/help'
        case 'doctor'
            __mountpoint-plugin_parse_subcommand 1 'socket-directory=' 'settings-directory=' 'state-directory=' 'runtime-directory=' 'docker-directory=' 'version' 'h/help'
        case 'check'
            __mountpoint-plugin_parse_subcommand 2 'socket-directory=' 'settings-directory=' 'state-directory=' 'runtime-directory=' 'docker-directory=' 'version' 'h/help'
        case 'verify'
            __mountpoint-plugin_parse_subcommand 1 'rule=+' 'report=' 'mount=+' 'restart-command=' 'deadline=' 'cycles=' 'version' 'h/help'
        case 'copy-on-write'
            __mountpoint-plugin_parse_subcommand 0 'version' 'h/help'
            switch $unparsed_tokens[1]
            case 'serve'
                __mountpoint-plugin_parse_subcommand 0 'instance=' 'socket-directory=' 'settings-directory=' 'state-directory=' 'runtime-directory=' 'docker-directory=' 'version' 'h/help'
            case 'list'
                __mountpoint-plugin_parse_subcommand 0 'json' 'instance=' 'socket-directory=' 'settings-directory=' 'state-directory=' 'runtime-directory=' 'docker-directory=' 'version' 'h/help'
            case 'diff'
                __mountpoint-plugin_parse_subcommand -r 2 'json' 'patch' 'instance=' 'socket-directory=' 'settings-directory=' 'state-directory=' 'runtime-directory=' 'docker-directory=' 'version' 'h/help'
            case 'commit'
                __mountpoint-plugin_parse_subcommand -r 2 'conflict=' 'instance=' 'socket-directory=' 'settings-directory=' 'state-directory=' 'runtime-directory=' 'docker-directory=' 'version' 'h/help'
            case 'discard'
                __mountpoint-plugin_parse_subcommand 1 'instance=' 'socket-directory=' 'settings-directory=' 'state-directory=' 'runtime-directory=' 'docker-directory=' 'version' 'h/help'
            case 'export'
                __mountpoint-plugin_parse_subcommand 2 'instance=' 'socket-directory=' 'settings-directory=' 'state-directory=' 'runtime-directory=' 'docker-directory=' 'version' 'h/help'
            end
        case 'noswap'
            __mountpoint-plugin_parse_subcommand 0 'instance=' 'socket-directory=' 'settings-directory=' 'state-directory=' 'runtime-directory=' 'docker-directory=' 'version' 'h/help'
        case 'ownership'
            __mountpoint-plugin_parse_subcommand 0 'version' 'h/help'
            switch $unparsed_tokens[1]
            case 'serve'
                __mountpoint-plugin_parse_subcommand 0 'instance=' 'socket-directory=' 'settings-directory=' 'state-directory=' 'runtime-directory=' 'docker-directory=' 'version' 'h/help'
            case 'give-back'
                __mountpoint-plugin_parse_subcommand 1 'all' 'forget' 'instance=' 'socket-directory=' 'settings-directory=' 'state-directory=' 'runtime-directory=' 'docker-directory=' 'version' 'h/help'
            end
        case 'policy'
            __mountpoint-plugin_parse_subcommand 0 'version' 'h/help'
            switch $unparsed_tokens[1]
            case 'serve'
                __mountpoint-plugin_parse_subcommand 0 'instance=' 'socket-directory=' 'settings-directory=' 'state-directory=' 'runtime-directory=' 'docker-directory=' 'version' 'h/help'
            case 'check'
                __mountpoint-plugin_parse_subcommand 0 'v/volume=+' 'volume-driver=' 'l/label=+' 'image=' 'image-label=+' 'name=' 'u/user=' 'instance=' 'socket-directory=' 'settings-directory=' 'state-directory=' 'runtime-directory=' 'docker-directory=' 'version' 'h/help'
            case 'log'
                __mountpoint-plugin_parse_subcommand 0 'json' 'instance=' 'socket-directory=' 'settings-directory=' 'state-directory=' 'runtime-directory=' 'docker-directory=' 'version' 'h/help'
            end
        case 'translate'
            __mountpoint-plugin_parse_subcommand 0 'version' 'h/help'
            switch $unparsed_tokens[1]
            case 'serve'
                __mountpoint-plugin_parse_subcommand 0 'instance=' 'socket-directory=' 'settings-directory=' 'state-directory=' 'runtime-directory=' 'docker-directory=' 'version' 'h/help'
            case 'check'
                __mountpoint-plugin_parse_subcommand 1 'instance=' 'socket-directory=' 'settings-directory=' 'state-directory=' 'runtime-directory=' 'docker-directory=' 'version' 'h/help'
            end
        case 'help'
            __mountpoint-plugin_parse_subcommand -r 1 'version'
        end
    end
end

function __mountpoint-plugin_tokens
    if test (string split -m 1 -f 1 -- . "$FISH_VERSION") -gt 3
        commandline --tokens-raw $argv
    else
        commandline -o $argv
    end
end

function __mountpoint-plugin_parse_subcommand -S -a positional_count
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

function __mountpoint-plugin_complete_directories
    set -l token (commandline -t)
    string match -- '*/' $token
    set -l subdirs $token*/
    printf %s\n $subdirs
end

function __mountpoint-plugin_custom_completion
    set -x SAP_SHELL fish
    set -x SAP_SHELL_VERSION $FISH_VERSION
    set -l tokens (__mountpoint-plugin_tokens -p)
    if test -z "$(__mountpoint-plugin_tokens -t)"
        set -l index (count (__mountpoint-plugin_tokens -pc))
        set tokens $tokens[..$index] \'\' $tokens[(math $index + 1)..]
    end
    command $tokens[1] $argv $tokens
end

complete -c 'mountpoint-plugin' -f
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin" -eq 1' -fa 'list' -d 'List the kinds of plugins.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin" -eq 1' -fa 'status' -d 'Show in whose mounts plugins take part.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin" -eq 1' -fa 'doctor' -d 'Check this host for what plugins need.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin" -eq 1' -fa 'check' -d 'Check a settings file.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin" -eq 1' -fa 'verify' -d 'Verify that a plugin keeps the rules of the protocol.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin" -eq 1' -fa 'copy-on-write' -d 'Let containers change trees that stay as they are.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin" -eq 1' -fa 'noswap' -d 'Give containers memory that never reaches swap, and wipe it at the end.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin" -eq 1' -fa 'ownership' -d 'Have the owner of files appear as the container\'s user.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin" -eq 1' -fa 'policy' -d 'Deny mounts, or make them read-only, by rules.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin" -eq 1' -fa 'translate' -d 'Mount what a path means in another container or on another system.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin" -eq 1' -fa 'help' -d 'Show subcommand help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin list" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin list" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin status" json' -l 'json' -d 'As one JSON object.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin status" socket-directory' -l 'socket-directory' -d 'where the socket is made (MOUNTPOINT_PLUGIN_SOCKET_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin status" settings-directory' -l 'settings-directory' -d 'where INSTANCE.json is (MOUNTPOINT_PLUGIN_SETTINGS_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin status" state-directory' -l 'state-directory' -d 'where each instance keeps its state (MOUNTPOINT_PLUGIN_STATE_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin status" runtime-directory' -l 'runtime-directory' -d 'where mountpoint-runc keeps its containers (MOUNTPOINT_PLUGIN_RUNTIME_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin status" docker-directory' -l 'docker-directory' -d 'Docker\'s data root (MOUNTPOINT_PLUGIN_DOCKER_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin status" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin status" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin doctor" socket-directory' -l 'socket-directory' -d 'where the socket is made (MOUNTPOINT_PLUGIN_SOCKET_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin doctor" settings-directory' -l 'settings-directory' -d 'where INSTANCE.json is (MOUNTPOINT_PLUGIN_SETTINGS_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin doctor" state-directory' -l 'state-directory' -d 'where each instance keeps its state (MOUNTPOINT_PLUGIN_STATE_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin doctor" runtime-directory' -l 'runtime-directory' -d 'where mountpoint-runc keeps its containers (MOUNTPOINT_PLUGIN_RUNTIME_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin doctor" docker-directory' -l 'docker-directory' -d 'Docker\'s data root (MOUNTPOINT_PLUGIN_DOCKER_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin doctor" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin doctor" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin check" socket-directory' -l 'socket-directory' -d 'where the socket is made (MOUNTPOINT_PLUGIN_SOCKET_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin check" settings-directory' -l 'settings-directory' -d 'where INSTANCE.json is (MOUNTPOINT_PLUGIN_SETTINGS_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin check" state-directory' -l 'state-directory' -d 'where each instance keeps its state (MOUNTPOINT_PLUGIN_STATE_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin check" runtime-directory' -l 'runtime-directory' -d 'where mountpoint-runc keeps its containers (MOUNTPOINT_PLUGIN_RUNTIME_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin check" docker-directory' -l 'docker-directory' -d 'Docker\'s data root (MOUNTPOINT_PLUGIN_DOCKER_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin check" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin check" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin verify"' -l 'rule' -d 'Try this rule, such as V9, and not the others; may be given several times.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin verify" report' -l 'report' -d 'The form of the report.' -rfka 'text json junit'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin verify"' -l 'mount' -d 'A mount to try, as a request to Attach has it; needed where the plugin\'s patterns name paths.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin verify" restart-command' -l 'restart-command' -d 'A program\'s path and its arguments: it kills the plugin and has it started again (V15).' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin verify" deadline' -l 'deadline' -d 'Seconds within which each answer has to come.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin verify" cycles' -l 'cycles' -d 'Containers that are attached and detached in turn to find leaks (V19).' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin verify" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin verify" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin copy-on-write" -eq 1' -fa 'serve' -d 'Answer mountpoint-runc until a signal comes.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin copy-on-write" -eq 1' -fa 'list' -d 'Show all changes: name, source, container, since when, and what becomes of them.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin copy-on-write" -eq 1' -fa 'diff' -d 'Show what a container has changed.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin copy-on-write" -eq 1' -fa 'commit' -d 'Apply changes to their source.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin copy-on-write" -eq 1' -fa 'discard' -d 'Drop changes.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin copy-on-write" -eq 1' -fa 'export' -d 'Copy what was added or changed to a folder.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write serve" instance' -l 'instance' -d 'The plugin\'s name in the chain, of its socket and its settings; by default the kind\'s.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write serve" socket-directory' -l 'socket-directory' -d 'where the socket is made (MOUNTPOINT_PLUGIN_SOCKET_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write serve" settings-directory' -l 'settings-directory' -d 'where INSTANCE.json is (MOUNTPOINT_PLUGIN_SETTINGS_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write serve" state-directory' -l 'state-directory' -d 'where each instance keeps its state (MOUNTPOINT_PLUGIN_STATE_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write serve" runtime-directory' -l 'runtime-directory' -d 'where mountpoint-runc keeps its containers (MOUNTPOINT_PLUGIN_RUNTIME_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write serve" docker-directory' -l 'docker-directory' -d 'Docker\'s data root (MOUNTPOINT_PLUGIN_DOCKER_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write serve" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write serve" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write list" json' -l 'json' -d 'A JSON array.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write list" instance' -l 'instance' -d 'The plugin\'s name, if it is not copy-on-write.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write list" socket-directory' -l 'socket-directory' -d 'where the socket is made (MOUNTPOINT_PLUGIN_SOCKET_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write list" settings-directory' -l 'settings-directory' -d 'where INSTANCE.json is (MOUNTPOINT_PLUGIN_SETTINGS_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write list" state-directory' -l 'state-directory' -d 'where each instance keeps its state (MOUNTPOINT_PLUGIN_STATE_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write list" runtime-directory' -l 'runtime-directory' -d 'where mountpoint-runc keeps its containers (MOUNTPOINT_PLUGIN_RUNTIME_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write list" docker-directory' -l 'docker-directory' -d 'Docker\'s data root (MOUNTPOINT_PLUGIN_DOCKER_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write list" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write list" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write diff" json' -l 'json' -d 'A JSON object.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write diff" patch' -l 'patch' -d 'As git apply and patch read it.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write diff" instance' -l 'instance' -d 'The plugin\'s name, if it is not copy-on-write.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write diff" socket-directory' -l 'socket-directory' -d 'where the socket is made (MOUNTPOINT_PLUGIN_SOCKET_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write diff" settings-directory' -l 'settings-directory' -d 'where INSTANCE.json is (MOUNTPOINT_PLUGIN_SETTINGS_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write diff" state-directory' -l 'state-directory' -d 'where each instance keeps its state (MOUNTPOINT_PLUGIN_STATE_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write diff" runtime-directory' -l 'runtime-directory' -d 'where mountpoint-runc keeps its containers (MOUNTPOINT_PLUGIN_RUNTIME_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write diff" docker-directory' -l 'docker-directory' -d 'Docker\'s data root (MOUNTPOINT_PLUGIN_DOCKER_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write diff" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write diff" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write commit" conflict' -l 'conflict' -d 'What becomes of changes whose place others have changed: fail, ours, theirs or both.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write commit" instance' -l 'instance' -d 'The plugin\'s name, if it is not copy-on-write.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write commit" socket-directory' -l 'socket-directory' -d 'where the socket is made (MOUNTPOINT_PLUGIN_SOCKET_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write commit" settings-directory' -l 'settings-directory' -d 'where INSTANCE.json is (MOUNTPOINT_PLUGIN_SETTINGS_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write commit" state-directory' -l 'state-directory' -d 'where each instance keeps its state (MOUNTPOINT_PLUGIN_STATE_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write commit" runtime-directory' -l 'runtime-directory' -d 'where mountpoint-runc keeps its containers (MOUNTPOINT_PLUGIN_RUNTIME_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write commit" docker-directory' -l 'docker-directory' -d 'Docker\'s data root (MOUNTPOINT_PLUGIN_DOCKER_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write commit" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write commit" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write discard" instance' -l 'instance' -d 'The plugin\'s name, if it is not copy-on-write.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write discard" socket-directory' -l 'socket-directory' -d 'where the socket is made (MOUNTPOINT_PLUGIN_SOCKET_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write discard" settings-directory' -l 'settings-directory' -d 'where INSTANCE.json is (MOUNTPOINT_PLUGIN_SETTINGS_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write discard" state-directory' -l 'state-directory' -d 'where each instance keeps its state (MOUNTPOINT_PLUGIN_STATE_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write discard" runtime-directory' -l 'runtime-directory' -d 'where mountpoint-runc keeps its containers (MOUNTPOINT_PLUGIN_RUNTIME_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write discard" docker-directory' -l 'docker-directory' -d 'Docker\'s data root (MOUNTPOINT_PLUGIN_DOCKER_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write discard" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write discard" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write export" instance' -l 'instance' -d 'The plugin\'s name, if it is not copy-on-write.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write export" socket-directory' -l 'socket-directory' -d 'where the socket is made (MOUNTPOINT_PLUGIN_SOCKET_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write export" settings-directory' -l 'settings-directory' -d 'where INSTANCE.json is (MOUNTPOINT_PLUGIN_SETTINGS_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write export" state-directory' -l 'state-directory' -d 'where each instance keeps its state (MOUNTPOINT_PLUGIN_STATE_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write export" runtime-directory' -l 'runtime-directory' -d 'where mountpoint-runc keeps its containers (MOUNTPOINT_PLUGIN_RUNTIME_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write export" docker-directory' -l 'docker-directory' -d 'Docker\'s data root (MOUNTPOINT_PLUGIN_DOCKER_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write export" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin copy-on-write export" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin noswap" instance' -l 'instance' -d 'The plugin\'s name in the chain, of its socket and its settings; by default the kind\'s.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin noswap" socket-directory' -l 'socket-directory' -d 'where the socket is made (MOUNTPOINT_PLUGIN_SOCKET_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin noswap" settings-directory' -l 'settings-directory' -d 'where INSTANCE.json is (MOUNTPOINT_PLUGIN_SETTINGS_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin noswap" state-directory' -l 'state-directory' -d 'where each instance keeps its state (MOUNTPOINT_PLUGIN_STATE_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin noswap" runtime-directory' -l 'runtime-directory' -d 'where mountpoint-runc keeps its containers (MOUNTPOINT_PLUGIN_RUNTIME_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin noswap" docker-directory' -l 'docker-directory' -d 'Docker\'s data root (MOUNTPOINT_PLUGIN_DOCKER_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin noswap" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin noswap" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin ownership" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin ownership" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin ownership" -eq 1' -fa 'serve' -d 'Answer mountpoint-runc until a signal comes.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin ownership" -eq 1' -fa 'give-back' -d 'Give back what still belongs to the users of containers that are gone.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin ownership serve" instance' -l 'instance' -d 'The plugin\'s name in the chain, of its socket and its settings; by default the kind\'s.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin ownership serve" socket-directory' -l 'socket-directory' -d 'where the socket is made (MOUNTPOINT_PLUGIN_SOCKET_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin ownership serve" settings-directory' -l 'settings-directory' -d 'where INSTANCE.json is (MOUNTPOINT_PLUGIN_SETTINGS_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin ownership serve" state-directory' -l 'state-directory' -d 'where each instance keeps its state (MOUNTPOINT_PLUGIN_STATE_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin ownership serve" runtime-directory' -l 'runtime-directory' -d 'where mountpoint-runc keeps its containers (MOUNTPOINT_PLUGIN_RUNTIME_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin ownership serve" docker-directory' -l 'docker-directory' -d 'Docker\'s data root (MOUNTPOINT_PLUGIN_DOCKER_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin ownership serve" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin ownership serve" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin ownership give-back" all' -l 'all' -d 'All containers that are gone.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin ownership give-back" forget' -l 'forget' -d 'Forget what cannot be given back, such as a folder that was removed.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin ownership give-back" instance' -l 'instance' -d 'The plugin\'s name, if it is not ownership.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin ownership give-back" socket-directory' -l 'socket-directory' -d 'where the socket is made (MOUNTPOINT_PLUGIN_SOCKET_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin ownership give-back" settings-directory' -l 'settings-directory' -d 'where INSTANCE.json is (MOUNTPOINT_PLUGIN_SETTINGS_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin ownership give-back" state-directory' -l 'state-directory' -d 'where each instance keeps its state (MOUNTPOINT_PLUGIN_STATE_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin ownership give-back" runtime-directory' -l 'runtime-directory' -d 'where mountpoint-runc keeps its containers (MOUNTPOINT_PLUGIN_RUNTIME_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin ownership give-back" docker-directory' -l 'docker-directory' -d 'Docker\'s data root (MOUNTPOINT_PLUGIN_DOCKER_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin ownership give-back" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin ownership give-back" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin policy" -eq 1' -fa 'serve' -d 'Answer mountpoint-runc until a signal comes.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin policy" -eq 1' -fa 'check' -d 'Say what would become of mounts, and by which rule.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin policy" -eq 1' -fa 'log' -d 'Show what was denied, the oldest first.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy serve" instance' -l 'instance' -d 'The plugin\'s name in the chain, of its socket and its settings; by default the kind\'s.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy serve" socket-directory' -l 'socket-directory' -d 'where the socket is made (MOUNTPOINT_PLUGIN_SOCKET_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy serve" settings-directory' -l 'settings-directory' -d 'where INSTANCE.json is (MOUNTPOINT_PLUGIN_SETTINGS_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy serve" state-directory' -l 'state-directory' -d 'where each instance keeps its state (MOUNTPOINT_PLUGIN_STATE_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy serve" runtime-directory' -l 'runtime-directory' -d 'where mountpoint-runc keeps its containers (MOUNTPOINT_PLUGIN_RUNTIME_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy serve" docker-directory' -l 'docker-directory' -d 'Docker\'s data root (MOUNTPOINT_PLUGIN_DOCKER_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy serve" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy serve" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy check"' -s 'v' -l 'volume' -d 'A mount, as SOURCE:PATH[:MODE].' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy check" volume-driver' -l 'volume-driver' -d 'The driver of volumes.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy check"' -s 'l' -l 'label' -d 'A label of the container, as KEY=VALUE.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy check" image' -l 'image' -d 'The image.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy check"' -l 'image-label' -d 'A label of the image, as KEY=VALUE.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy check" name' -l 'name' -d 'The container\'s name.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy check" u user' -s 'u' -l 'user' -d 'Whom its process runs as, as UID or UID:GID.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy check" instance' -l 'instance' -d 'The plugin\'s name, if it is not policy.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy check" socket-directory' -l 'socket-directory' -d 'where the socket is made (MOUNTPOINT_PLUGIN_SOCKET_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy check" settings-directory' -l 'settings-directory' -d 'where INSTANCE.json is (MOUNTPOINT_PLUGIN_SETTINGS_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy check" state-directory' -l 'state-directory' -d 'where each instance keeps its state (MOUNTPOINT_PLUGIN_STATE_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy check" runtime-directory' -l 'runtime-directory' -d 'where mountpoint-runc keeps its containers (MOUNTPOINT_PLUGIN_RUNTIME_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy check" docker-directory' -l 'docker-directory' -d 'Docker\'s data root (MOUNTPOINT_PLUGIN_DOCKER_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy check" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy check" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy log" json' -l 'json' -d 'A JSON object a line.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy log" instance' -l 'instance' -d 'The plugin\'s name, if it is not policy.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy log" socket-directory' -l 'socket-directory' -d 'where the socket is made (MOUNTPOINT_PLUGIN_SOCKET_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy log" settings-directory' -l 'settings-directory' -d 'where INSTANCE.json is (MOUNTPOINT_PLUGIN_SETTINGS_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy log" state-directory' -l 'state-directory' -d 'where each instance keeps its state (MOUNTPOINT_PLUGIN_STATE_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy log" runtime-directory' -l 'runtime-directory' -d 'where mountpoint-runc keeps its containers (MOUNTPOINT_PLUGIN_RUNTIME_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy log" docker-directory' -l 'docker-directory' -d 'Docker\'s data root (MOUNTPOINT_PLUGIN_DOCKER_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy log" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin policy log" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin translate" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin translate" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin translate" -eq 1' -fa 'serve' -d 'Answer mountpoint-runc until a signal comes.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_positional "mountpoint-plugin translate" -eq 1' -fa 'check' -d 'Show the rule for a path, and what it means now.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin translate serve" instance' -l 'instance' -d 'The plugin\'s name in the chain, of its socket and its settings; by default the kind\'s.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin translate serve" socket-directory' -l 'socket-directory' -d 'where the socket is made (MOUNTPOINT_PLUGIN_SOCKET_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin translate serve" settings-directory' -l 'settings-directory' -d 'where INSTANCE.json is (MOUNTPOINT_PLUGIN_SETTINGS_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin translate serve" state-directory' -l 'state-directory' -d 'where each instance keeps its state (MOUNTPOINT_PLUGIN_STATE_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin translate serve" runtime-directory' -l 'runtime-directory' -d 'where mountpoint-runc keeps its containers (MOUNTPOINT_PLUGIN_RUNTIME_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin translate serve" docker-directory' -l 'docker-directory' -d 'Docker\'s data root (MOUNTPOINT_PLUGIN_DOCKER_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin translate serve" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin translate serve" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin translate check" instance' -l 'instance' -d 'The plugin\'s name, if it is not translate.' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin translate check" socket-directory' -l 'socket-directory' -d 'where the socket is made (MOUNTPOINT_PLUGIN_SOCKET_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin translate check" settings-directory' -l 'settings-directory' -d 'where INSTANCE.json is (MOUNTPOINT_PLUGIN_SETTINGS_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin translate check" state-directory' -l 'state-directory' -d 'where each instance keeps its state (MOUNTPOINT_PLUGIN_STATE_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin translate check" runtime-directory' -l 'runtime-directory' -d 'where mountpoint-runc keeps its containers (MOUNTPOINT_PLUGIN_RUNTIME_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin translate check" docker-directory' -l 'docker-directory' -d 'Docker\'s data root (MOUNTPOINT_PLUGIN_DOCKER_DIRECTORY)' -rfka ''
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin translate check" version' -l 'version' -d 'Show the version.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin translate check" h help' -s 'h' -l 'help' -d 'Show help information.'
complete -c 'mountpoint-plugin' -n '__mountpoint-plugin_should_offer_completions_for_flags_or_options "mountpoint-plugin help" version' -l 'version' -d 'Show the version.'
