// SPDX-License-Identifier: AGPL-3.0-or-later

import NFSMount

extension StorageError {
    /// What the mounter reports, in the shape that all layers above have.
    init(_ error: NFSMountError) {
        self.init(Code(error.kind), error.description, cause: error, mayPass: error.mayPass, stuck: error.stuck)
    }

    init(_ error: UnmountError) {
        self.init(error.stuck == nil ? .inUse : .stuck, error.description, cause: error, stuck: error.stuck)
    }
}

extension StorageError.Code {
    fileprivate init(_ kind: NFSMountError.Kind) {
        self =
            switch kind {
            case .nameNotResolved: .nameNotResolved
            case .noRoute: .noRoute
            case .refused: .refused
            case .silent: .silent
            case .mute: .mute
            case .exportNotThere: .exportNotThere
            case .accessDenied: .accessDenied
            case .versionNotOffered: .versionNotOffered
            case .badOption: .badOption
            case .noKernelSupport: .noKernelSupport
            case .notPrivileged: .notPrivileged
            case .lockServiceMissing: .lockServiceMissing
            case .subdirectory: .subdirectory
            case .conflict: .conflict
            case .timedOut: .timedOut
            case .cancelled: .cancelled
            case .stale: .stale
            case .other: .other
            }
    }
}
