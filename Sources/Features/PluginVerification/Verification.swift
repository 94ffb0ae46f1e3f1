// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem

/// One verification of one plugin: what the rules have in common.
final class Verification {
    let subject: Subject
    let source: ScratchSource
    /// Where something was mounted before the plugin was asked for anything.
    let placesBefore = Set(Traces.mounts().map(\.path))
    private(set) var outcomes: [VerificationRule: RuleOutcome] = [:]
    /// What the plugin has said of itself, once it has.
    var knownProperties: MountPointProperties?

    var settings: VerificationSettings { subject.settings }

    /// Those about all calls come last, and before them the one that may kill the plugin.
    private static let order: [VerificationRule] = {
        let last: [VerificationRule] = [.hostileRequests, .transport, .deadline, .words]
        return VerificationRule.allCases.filter { !last.contains($0) } + last
    }()

    init(_ settings: VerificationSettings) throws(VerificationError) {
        subject = Subject(settings)
        source = try ScratchSource()
    }

    func run() {
        for rule in Self.order where settings.rules.contains(rule) {
            do throws(RuleEnd) {
                if !Self.isAboutAllCalls(rule) && !subject.isThere(by: Deadline(after: subject.patience)) {
                    throw .notTried("the plugin is gone")
                }
                var faults = try check(rule)
                for _ in 1..<Self.attempts(rule) where !faults.isEmpty {
                    // What cannot be tried again is as it was found.
                    guard let again = try? check(rule) else { break }
                    faults = again
                }
                outcomes[rule] = faults.isEmpty ? .kept : .broken(faults)
            } catch {
                switch error {
                case .broken(let fault): outcomes[rule] = .broken([fault])
                case .notTried(let why): outcomes[rule] = .notTried(why)
                }
            }
        }
    }

    /// How often a rule is tried before it counts as broken. Others mount, too, while this runs, and a mount does not say whose it is;
    /// what a plugin leaves, it leaves each time.
    private static func attempts(_ rule: VerificationRule) -> Int {
        [.detachUndoes, .restart, .emergencyAlone, .leaks].contains(rule) ? 3 : 1
    }

    private static func isAboutAllCalls(_ rule: VerificationRule) -> Bool { [.transport, .deadline, .words].contains(rule) }

    private func check(_ rule: VerificationRule) throws(RuleEnd) -> [String] {
        switch rule {
        case .activation: try PropertiesRules(verification: self).checkActivation()
        case .stableProperties: try PropertiesRules(verification: self).checkStableProperties()
        case .patterns: try PropertiesRules(verification: self).checkPatterns()
        case .transport: try CallRules(verification: self).checkTransport()
        case .attachOfNothing: try AttachRules(verification: self).checkAttachOfNothing()
        case .attachOfMany: try AttachRules(verification: self).checkAttachOfMany()
        case .effectiveSource: try AttachRules(verification: self).checkEffectiveSource()
        case .emergencyDetach: try AttachRules(verification: self).checkEmergencyDetach()
        case .detachUndoes: try DetachRules(verification: self).checkDetachUndoes()
        case .unknownDetach: try DetachRules(verification: self).checkUnknownDetach()
        case .attachAgain: try DetachRules(verification: self).checkAttachAgain()
        case .twoContainers: try DetachRules(verification: self).checkTwoContainers()
        case .concurrentAttach: try DetachRules(verification: self).checkConcurrentAttach()
        case .hostileRequests: try HostileRules(verification: self).checkHostileRequests()
        case .restart: try RecoveryRules(verification: self).checkRestart()
        case .emergencyAlone: try RecoveryRules(verification: self).checkEmergencyAlone()
        case .mounted: try RecoveryRules(verification: self).checkMounted()
        case .deadline: try CallRules(verification: self).checkDeadline()
        case .leaks: try DetachRules(verification: self).checkLeaks()
        case .words: try CallRules(verification: self).checkWords()
        }
    }
}
