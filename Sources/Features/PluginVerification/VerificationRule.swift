// SPDX-License-Identifier: AGPL-3.0-or-later

/// A rule of the mount point plugin protocol, as a plugin has to keep it.
public enum VerificationRule: String, Sendable, CaseIterable {
    case activation = "V1"
    case stableProperties = "V2"
    case patterns = "V3"
    case transport = "V4"
    case attachOfNothing = "V5"
    case attachOfMany = "V6"
    case effectiveSource = "V7"
    case emergencyDetach = "V8"
    case detachUndoes = "V9"
    case unknownDetach = "V10"
    case attachAgain = "V11"
    case twoContainers = "V12"
    case concurrentAttach = "V13"
    case hostileRequests = "V14"
    case restart = "V15"
    case emergencyAlone = "V16"
    case mounted = "V17"
    case deadline = "V18"
    case leaks = "V19"
    case words = "V20"

    /// What holds where the rule is kept, in one line.
    public var title: String {
        switch self {
        case .activation: "Activate names the interface mountpoint"
        case .stableProperties: "Properties are the same when they are asked for twice"
        case .patterns: "Properties can be read, and have no unknown member"
        case .transport: "answers are HTTP of a known length and media type, and of 1 MiB at most"
        case .attachOfNothing: "Attach without a mount takes part in none"
        case .attachOfMany: "Attach answers for 1 and for 100 mounts, with no more attachments than mounts"
        case .effectiveSource: "each new source is an absolute path of something that is there"
        case .emergencyDetach: "each attached mount has emergency actions, on nothing but what the plugin made"
        case .detachUndoes: "Detach undoes what Attach did"
        case .unknownDetach: "Detach of an unknown container succeeds"
        case .attachAgain: "a container that was detached attaches again"
        case .twoContainers: "two containers at once do not disturb each other"
        case .concurrentAttach: "Attach calls of several containers may overlap"
        case .hostileRequests: "requests that make no sense are refused, and the plugin lives on"
        case .restart: "a plugin that was killed and started again detaches what it attached before"
        case .emergencyAlone: "the emergency actions alone leave nothing behind"
        case .mounted: "Mounted is answered if the plugin asks for it"
        case .deadline: "each answer comes within the deadline"
        case .leaks: "many containers in turn leave no descriptor and no mount open"
        case .words: "each refusal says why"
        }
    }

    /// - Parameter name: as `V9`, in any letter case.
    public init?(name: String) { self.init(rawValue: name.uppercased()) }
}

/// What came of a rule.
public enum RuleOutcome: Sendable, Equatable {
    case kept
    /// In which ways it is broken, a line each.
    case broken([String])
    /// Why it could not be tried.
    case notTried(String)
}

/// How a rule's check ends early.
enum RuleEnd: Error {
    case broken(String)
    case notTried(String)
}
