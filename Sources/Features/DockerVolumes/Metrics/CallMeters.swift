// SPDX-License-Identifier: AGPL-3.0-or-later

import CoreMetrics
import KernelMount
import PrometheusMetrics

/// Counts the calls of engines and their time, by swift-metrics.
final class CallMeters: Sendable {
    /// The value of the label `call`.
    enum Call: Int, CaseIterable, CustomStringConvertible {
        case activate, create, get, list, mount, path, remove, unmount

        var description: String {
            switch self {
            case .activate: "activate"
            case .create: "create"
            case .get: "get"
            case .list: "list"
            case .mount: "mount"
            case .path: "path"
            case .remove: "remove"
            case .unmount: "unmount"
            }
        }

        /// Whether it is answered by work that may take long.
        var takesLong: Bool {
            switch self {
            case .create, .mount, .remove, .unmount: true
            case .activate, .get, .list, .path: false
            }
        }

        /// How it can fail.
        fileprivate var failures: [StorageError.Code] {
            switch self {
            case .create, .mount, .remove, .unmount: StorageError.Code.all
            case .get, .path: [.noSuchVolume]
            case .activate, .list: []
            }
        }
    }

    /// A call that has not been answered yet.
    struct Running {
        let call: Call
        fileprivate let start: ContinuousClock.Instant
    }

    /// The label `code` of a call that did what it was asked for. Every other value is one of a `StorageError`.
    static let success = "ok"

    /// By ``Call``, like the rest: a lookup by labels for each call would cost more than all else here.
    private let successes: [Counter]
    /// Made before the first failure: Prometheus sees no rise in a series that begins with 1.
    private let failures: [[StorageError.Code: Counter]]
    private let durations: [Timer]
    private let inFlight: [Meter?]

    init(factory: any MetricsFactory) {
        func counter(_ call: Call, _ code: String) -> Counter {
            Counter(label: DaemonMetric.calls.name, dimensions: [("call", "\(call)"), ("code", code)], factory: factory)
        }
        successes = Call.allCases.map { counter($0, Self.success) }
        failures = Call.allCases.map { call in
            Dictionary(uniqueKeysWithValues: call.failures.map { ($0, counter(call, "\($0)")) })
        }
        durations = Call.allCases.map {
            Timer(label: DaemonMetric.callDuration.name, dimensions: [("call", "\($0)")], factory: factory)
        }
        inFlight = Call.allCases.map {
            $0.takesLong ? Meter(label: DaemonMetric.callsInFlight.name, dimensions: [("call", "\($0)")], factory: factory) : nil
        }
    }

    func began(_ call: Call) -> Running {
        inFlight[call.rawValue]?.increment(by: 1.0)
        return Running(call: call, start: .now)
    }

    /// - Parameter failure: nil if it has done what it was asked for.
    func ended(_ running: Running, failure: StorageError.Code? = nil) {
        let call = running.call
        durations[call.rawValue].recordNanoseconds(running.start.duration(to: .now).nanoseconds)
        inFlight[call.rawValue]?.decrement(by: 1.0)
        guard let failure else { return successes[call.rawValue].increment() }
        failures[call.rawValue][failure]?.increment()
    }
}

extension Duration {
    /// The largest number for what is longer than some centuries.
    fileprivate var nanoseconds: Int64 {
        let (seconds, attoseconds) = components
        let (whole, overflow) = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        return overflow ? .max : whole.addingReportingOverflow(attoseconds / 1_000_000_000).partialValue
    }
}
