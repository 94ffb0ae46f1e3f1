// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerSupport
import JSON
import TestSupport
import Testing

extension SharedEngineTests {
    @Suite("A plugin is not there, or does not understand, when it is to detach")
    struct Emergencies {
        struct Case: Sendable, CustomTestStringConvertible {
            var actions: JSONValue
            var status = 0
            /// Whether the plugin before this one is still asked.
            var goesOn = true
            var testDescription: String { actions.description }
        }

        static let cases: [Case] = [
            Case(actions: [["Warning": "never mind"]]),
            Case(actions: [["Error": "data may be old"]], status: 129),
            Case(actions: [["Fatal": "leave all as it is"]], status: 129, goesOn: false),
            Case(actions: [["Warning": "never mind"], ["Error": "data may be old"]], status: 129),
            Case(actions: [["Error": "data may be old"], ["Fatal": "leave it"]], status: 129, goesOn: false),
            Case(actions: [], status: 129, goesOn: false),
        ]

        /// A plugin that is away is waited for as long as its detach may take.
        private static let impatient: JSONObject = ["plugin-timeout": 1]

        enum Absence: String, Sendable, CaseIterable { case gone, deaf, garbled }

        private func makeAbsent(_ name: String, _ absence: Absence, in scenario: Scenario) {
            switch absence {
            case .gone: scenario[name].end()
            case .deaf: scenario[name].when(.detach, .error(status: 500, type: "text/plain", body: "what?"))
            case .garbled: scenario[name].when(.detach, .bytes("HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{\"Succ"))
            }
        }

        @Test("What it gave to be done in that case is done, in order", arguments: cases, Absence.allCases)
        func actions(_ emergency: Case, _ absence: Absence) async throws {
            try await Scenario.run("first", "second", settings: Self.impatient, isBalanced: false) { scenario in
                scenario["second"].when(.attach, .attachments(["Attach": true, "EmergencyDetach": emergency.actions]))
                try await scenario.start("box", scenario.binds("a"))
                makeAbsent("second", absence, in: scenario)
                #expect(try await scenario.stop("box") == emergency.status)
                #expect(scenario.log.calls(.detach, of: "first").count == (emergency.goesOn ? 1 : 0))
                #expect(scenario.log.calls(.detach, of: "second").count == (absence == .gone ? 0 : 1))
            }
        }

        @Test("It removes a file, an empty folder, and unmounts", arguments: Absence.allCases)
        func removes(_ absence: Absence) async throws {
            try await Scenario.run("first", "second", settings: Self.impatient, isBalanced: false) { scenario in
                let (file, folder, place) = (
                    try scenario.folder("left") + "/file", try scenario.folder("left") + "/empty", try scenario.folder("p")
                )
                let made = try await scenario.host.run(
                    ["sh", "-ec", "touch \(file); mkdir \(folder); mount -t tmpfs tmpfs \(place); echo inside > \(place)/who"])
                #expect(made.status == 0, "\(made)")
                scenario["second"].when(
                    .attach,
                    .attachments([
                        "Attach": true, "Changes": ["EffectiveSource": .string(place)],
                        "EmergencyDetach": [["Remove": .string(file)], ["Unmount": .string(place)], ["Remove": .string(folder)]],
                    ]))
                try await scenario.start("box", scenario.binds("a"))
                #expect(try await scenario.docker("exec", "box", "cat", "/a/who") == "inside")
                makeAbsent("second", absence, in: scenario)
                #expect(try await scenario.stop("box") == 0)
                #expect(scenario.host.names(in: try scenario.folder("left")) == ["who"])
                #expect(try scenario.host.mountPoints(below: RuntimeHost.dataFolder) == [])
                #expect(scenario.log.calls(.detach, of: "first").count == 1)
            }
        }

        @Test("What cannot be removed or unmounted is an error; a folder with something in it is never removed")
        func removalFails() async throws {
            try await Scenario.run("first", "second", settings: Self.impatient, isBalanced: false) { scenario in
                let folder = try scenario.folder("full")
                scenario["second"].when(
                    .attach, .attachments(["Attach": true, "EmergencyDetach": [["Remove": .string(folder)]]]))
                try await scenario.start("box", scenario.binds("a"))
                scenario["second"].end()
                #expect(try await scenario.stop("box") == 129)
                #expect(scenario.host.contents(of: folder + "/who") == "full\n")
            }
        }

        @Test("Actions of each mount count; one mount without any is fatal")
        func severalMounts() async throws {
            try await Scenario.run("first", "second", settings: Self.impatient, isBalanced: false) { scenario in
                scenario["second"].when(
                    .attach, .attachments(["Attach": true, "EmergencyDetach": [["Warning": "a"]]], ["Attach": true]))
                try await scenario.start("box", scenario.binds("a", "b"))
                scenario["second"].end()
                #expect(try await scenario.stop("box") == 129)
                #expect(scenario.log.calls(.detach).isEmpty)
            }
        }

        @Test("A plugin that was restarted meanwhile is loaded and asked")
        func restarted() async throws {
            try await Scenario.run("first") { scenario in
                try await scenario.start("box", scenario.binds("a"))
                try await scenario.serve("first")
                #expect(try await scenario.stop("box") == 0)
                #expect(
                    scenario.log.lines == [
                        "first Activate", "first Properties", "first Attach \(try scenario.folder("a"))",
                        "first Activate", "first Properties", "first Detach",
                    ])
            }
        }
    }
}
