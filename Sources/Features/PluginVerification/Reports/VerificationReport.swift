// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import JSON
import LinuxSystem

/// What came of each rule that was to be tried, in the order of the rules.
public struct VerificationReport: Sendable, Equatable {
    public struct Result: Sendable, Equatable {
        public var rule: VerificationRule
        public var outcome: RuleOutcome
    }

    public var socket: String
    public var results: [Result]

    /// Whether the plugin breaks no rule that could be tried.
    public var isRight: Bool { broken.isEmpty }
    /// The rules that it breaks.
    public var broken: [VerificationRule] {
        results.compactMap { if case .broken = $0.outcome { $0.rule } else { nil } }
    }

    /// Verifies a plugin. Blocks: for a thread that may.
    ///
    /// - Throws: `VerificationError` if nobody answers at the socket, or no folder can be made for the tries.
    public init(of settings: VerificationSettings) throws(VerificationError) {
        let verification = try Verification(settings)
        if !verification.subject.isThere(by: Deadline(after: settings.deadline)) {
            throw VerificationError("nobody listens on \(SanitizedText(settings.socket)); start the plugin, or correct the path")
        }
        verification.run()
        socket = settings.socket
        results = VerificationRule.allCases.compactMap { rule in
            verification.outcomes[rule].map { Result(rule: rule, outcome: $0) }
        }
    }

    init(socket: String, results: [Result]) { (self.socket, self.results) = (socket, results) }
}

extension VerificationReport {
    /// A line for each rule and each fault, and one with the sums.
    public var text: String {
        var lines: [String] = []
        var (kept, notTried) = (0, 0)
        for result in results {
            let name = result.rule.rawValue.count < 3 ? "\(result.rule.rawValue) " : result.rule.rawValue
            switch result.outcome {
            case .kept:
                kept += 1
                lines.append("\(name)  kept       \(result.rule.title)")
            case .notTried(let why):
                notTried += 1
                lines.append("\(name)  not tried  \(result.rule.title): \(why)")
            case .broken(let faults):
                lines.append("\(name)  BROKEN     \(result.rule.title)")
                lines += faults.map { "                - \($0)" }
            }
        }
        lines.append("\(kept) rules kept, \(broken.count) broken, \(notTried) not tried")
        return lines.joined(separator: "\n") + "\n"
    }

    /// An object with `Socket`, `Right` and `Rules`, each of them with `Name`, `Title`, `Outcome` (`kept`, `broken`, `not-tried`), and
    /// `Faults` or `Reason`.
    public var jsonText: String {
        let rules = results.map { result -> JSONValue in
            var object: JSONObject = ["Name": .string(result.rule.rawValue), "Title": .string(result.rule.title)]
            switch result.outcome {
            case .kept: object["Outcome"] = "kept"
            case .broken(let faults):
                object["Outcome"] = "broken"
                object["Faults"] = .array(faults.map { .string($0) })
            case .notTried(let why):
                object["Outcome"] = "not-tried"
                object["Reason"] = .string(why)
            }
            return .object(object)
        }
        return JSONValue.object(["Socket": .string(socket), "Right": .bool(isRight), "Rules": .array(rules)]).description + "\n"
    }

    /// JUnit's XML, as build servers read it: a test case a rule.
    public var junitText: String {
        let skipped = results.count { if case .notTried = $0.outcome { true } else { false } }
        var lines = ["<?xml version=\"1.0\" encoding=\"UTF-8\"?>"]
        let sums = "tests=\"\(results.count)\" failures=\"\(broken.count)\" skipped=\"\(skipped)\""
        lines.append("<testsuite name=\"mountpoint-plugin verify \(Self.escaped(socket))\" \(sums)>")
        for result in results {
            let head = "  <testcase classname=\"mountpoint\" name=\"\(result.rule.rawValue): \(Self.escaped(result.rule.title))\""
            switch result.outcome {
            case .kept: lines.append("\(head)/>")
            case .broken(let faults):
                lines.append("\(head)><failure>\(Self.escaped(faults.joined(separator: "\n")))</failure></testcase>")
            case .notTried(let why): lines.append("\(head)><skipped message=\"\(Self.escaped(why))\"/></testcase>")
            }
        }
        return (lines + ["</testsuite>"]).joined(separator: "\n") + "\n"
    }

    private static func escaped(_ text: String) -> String {
        text.unicodeScalars.reduce(into: "") { result, scalar in
            switch scalar {
            case "&": result += "&amp;"
            case "<": result += "&lt;"
            case ">": result += "&gt;"
            case "\"": result += "&quot;"
            case "\n": result += "\n"
            default: result.unicodeScalars.append(SanitizedText.isControl(scalar) ? "?" : scalar)
            }
        }
    }
}
