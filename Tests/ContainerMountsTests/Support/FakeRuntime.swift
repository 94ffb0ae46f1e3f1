// SPDX-License-Identifier: AGPL-3.0-or-later

import Foundation
import Glibc
import JSON
import TestSupport

/// A script with runc's command line in the place of runc. It records its calls, and makes of a container one process in the host's own
/// namespaces, which ends when it is told with which status.
struct FakeRuntime: Sendable {
    private let folder: String

    var path: String { "\(folder)/bin/runc" }

    private static let script = #"""
        #!/bin/sh
        here=@FOLDER@/below
        while [ $# -gt 0 ]; do
          case $1 in
            --root | --log | --log-format) shift 2 ;;
            --*) shift ;;
            *) break ;;
          esac
        done
        command=$1
        shift
        force= pid_file= words= bundle=.
        while [ $# -gt 0 ]; do
          case $1 in
            --bundle) bundle=$2; shift ;;
            --console-socket) shift ;;
            --pid-file) pid_file=$2; shift ;;
            --force) force=1 words="$words $1" ;;
            *) words="$words $1" ;;
          esac
          shift
        done
        echo "$command$words" >>"$here/calls"
        set -- $words
        [ "$1" != --force ] && [ "$1" != --all ] || shift
        id=$1
        if [ -e "$here/fails-$command" ]; then
          cat "$here/fails-$command" >&2
          exit 1
        fi
        case $command in
          create)
            [ ! -e "$here/$id" ] || { echo "container $id exists" >&2; exit 1; }
            mkdir "$here/$id"
            cp "$bundle/config.json" "$here/$id/config.json"
            mkfifo "$here/$id/end"
            sh -c 'read status <"$1"; exit "$status"' container "$here/$id/end" </dev/null >/dev/null 2>&1 &
            echo $! >"$here/$id/pid"
            [ -z "$pid_file" ] || echo $! >"$pid_file"
            ;;
          start) [ -e "$here/$id" ] ;;
          kill)
            [ -e "$here/$id" ] || { echo "container $id does not exist" >&2; exit 1; }
            kill -s "${2:-TERM}" "$(cat "$here/$id/pid")" 2>/dev/null
            ;;
          delete)
            if [ ! -e "$here/$id" ]; then
              [ -n "$force" ] && exit 0
              echo "container $id does not exist" >&2
              exit 1
            fi
            process=$(cat "$here/$id/pid")
            state=$(sed 's/.*) \(.\).*/\1/' "/proc/$process/stat" 2>/dev/null)
            if [ -n "$state" ] && [ "$state" != Z ]; then
              [ -n "$force" ] || { echo "container $id is not stopped" >&2; exit 1; }
              kill -KILL "$process"
            fi
            rm -r "$here/$id"
            ;;
        esac
        """#

    init(in folder: String) throws {
        self.folder = folder
        try FileManager.default.createDirectory(atPath: "\(folder)/below", withIntermediateDirectories: true)
        try (Self.script.replacing("@FOLDER@", with: folder) + "\n").write(toFile: path, atomically: true, encoding: .utf8)
        try FileManager.default.setAttributes([.posixPermissions: 0o755], ofItemAtPath: path)
    }

    /// Such as `create ID`, `kill ID TERM`, `delete --force ID`; without global flags, the bundle and the pid file.
    var calls: [String] {
        ((try? String(contentsOfFile: "\(folder)/below/calls", encoding: .utf8)) ?? "").split(separator: "\n").map(String.init)
    }

    /// Has a command fail from now on, with these words.
    func fail(_ command: String, _ words: String) throws {
        try "\(words)\n".write(toFile: "\(folder)/below/fails-\(command)", atomically: true, encoding: .utf8)
    }

    func knows(_ id: String) -> Bool { FileManager.default.fileExists(atPath: "\(folder)/below/\(id)") }

    /// The config.json that a container was created with.
    func configuration(of id: String) throws -> JSONValue {
        try JSONValue(parsing: String(contentsOfFile: "\(folder)/below/\(id)/config.json", encoding: .utf8))
    }

    /// The container's process.
    func process(of id: String) throws -> pid_t {
        let text = try String(contentsOfFile: "\(folder)/below/\(id)/pid", encoding: .utf8)
        guard let process = pid_t(text.trimmingCharacters(in: .whitespacesAndNewlines)) else { throw Trouble("no process of \(id)") }
        return process
    }

    /// Has the container's process end with this status.
    func end(_ id: String, with status: Int) throws {
        let descriptor = open("\(folder)/below/\(id)/end", O_WRONLY | O_CLOEXEC)
        defer { close(descriptor) }
        let line = Array("\(status)\n".utf8)
        guard write(descriptor, line, line.count) == line.count else { throw Trouble("container \(id) does not read how to end") }
    }
}
