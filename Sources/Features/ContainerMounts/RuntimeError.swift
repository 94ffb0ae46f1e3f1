// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerFiles
import MountPointChain

/// Why a command of the runtime failed: a code for programs, one line for the person at `docker run`, and the error below it.
///
/// Layers above add what they were doing to the line and keep the code.
struct RuntimeError: Error, Sendable, CustomStringConvertible {
    /// A kind of failure. Its description is stable: the JSON log and `ask` show it.
    struct Code: Sendable, Hashable, CustomStringConvertible {
        private enum Value: String, Sendable, CaseIterable {
            // What the caller gave
            case badArguments = "bad-arguments"
            case badSettings = "bad-settings"
            case badBundle = "bad-bundle"
            case engineFiles = "engine-files"
            // The plugins
            case pluginDenied = "plugin-denied"
            case pluginUnreachable = "plugin-unreachable"
            case pluginUnclear = "plugin-unclear"
            case pluginInvalid = "plugin-invalid"
            case teardown
            // This host
            case hostRefused = "host-refused"
            case delegate
            case state
            case local
            // The container
            case exists
            case noSuchContainer = "no-such-container"
            case nothingOwed = "nothing-owed"
            case busy
            case killed
        }

        private let value: Value

        static let badArguments = Code(value: .badArguments)
        /// The settings file, or a chain that is empty where one is needed.
        static let badSettings = Code(value: .badSettings)
        /// config.json is missing, cannot be read, or has what the container must not be created with.
        static let badBundle = Code(value: .badBundle)
        /// What the engine left on disk does not say which mounts plugins must be asked about.
        static let engineFiles = Code(value: .engineFiles)
        /// A plugin said no.
        static let pluginDenied = Code(value: .pluginDenied)
        /// A plugin cannot be found, reached or loaded.
        static let pluginUnreachable = Code(value: .pluginUnreachable)
        /// A plugin was asked, and its answer did not come, came too late or cannot be understood.
        static let pluginUnclear = Code(value: .pluginUnclear)
        /// A plugin's answer asks for what cannot be done.
        static let pluginInvalid = Code(value: .pluginInvalid)
        /// What is to happen at a container's end has failed.
        static let teardown = Code(value: .teardown)
        /// The source of a mount has changed, cannot be pinned, or may show more than plugins could be told.
        static let hostRefused = Code(value: .hostRefused)
        /// runc or crun cannot be run, or did not do what it should.
        static let delegate = Code(value: .delegate)
        /// What is kept of containers cannot be read or written.
        static let state = Code(value: .state)
        /// A file, folder or call of this host.
        static let local = Code(value: .local)
        /// The id is in use.
        static let exists = Code(value: .exists)
        /// There is no such container, or it does not run.
        static let noSuchContainer = Code(value: .noSuchContainer)
        /// No plugin is owed a detach.
        static let nothingOwed = Code(value: .nothingOwed)
        /// Another process works on the container.
        static let busy = Code(value: .busy)
        /// The container's supervisor was killed.
        static let killed = Code(value: .killed)

        /// All codes, in the order in which they are declared.
        static var all: [Code] { Value.allCases.map { Code(value: $0) } }

        var description: String { value.rawValue }

        /// Reads a description; nil for a text that is none.
        init?(_ description: String) {
            guard let value = Value(rawValue: description) else { return nil }
            self.value = value
        }

        private init(value: Value) { self.value = value }
    }

    var code: Code
    var message: String
    /// The error below it, if there is one.
    var cause: (any Error)?

    init(_ code: Code, _ message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    var description: String { message }

    /// The same failure, as a layer above reports it.
    ///
    /// - Parameter context: such as the file that it is about; a colon follows it.
    func prefixed(by context: String) -> RuntimeError {
        RuntimeError(code, "\(context): \(message)", cause: cause)
    }
}

extension RuntimeError: Equatable {
    /// Without the causes, which cannot be compared.
    static func == (one: RuntimeError, other: RuntimeError) -> Bool { one.code == other.code && one.message == other.message }
}

extension RuntimeError {
    init(_ error: EngineFilesError) { self.init(.engineFiles, "\(error)", cause: error) }

    init(_ error: ChainError) { self.init(Code(error), "\(error)", cause: error) }
}

extension RuntimeError.Code {
    fileprivate init(_ error: ChainError) {
        self =
            switch error.kind {
            case .refused: .pluginDenied
            case .unreachable: .pluginUnreachable
            case .unclear: .pluginUnclear
            case .invalidAnswer: .pluginInvalid
            case .notRecorded: .state
            // The guards of this program fail with a code of their own.
            case .sources: ((error.cause as? SourceError)?.cause as? RuntimeError)?.code ?? .hostRefused
            }
    }
}
