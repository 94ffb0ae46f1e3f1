// SPDX-License-Identifier: AGPL-3.0-or-later

package import JSON
package import KernelMount
package import LinuxSystem

/// What is known of a volume's server, its traffic and its room, without asking the server.
package struct VolumeHealth: Sendable, Equatable {
    package struct Server: Sendable, Equatable {
        /// The first failure after the last answer: RFC 3339, UTC; nil while it answers.
        package var awaySince: String?
        /// The code of the last failure.
        package var code: String?
        package var reason: String?
        /// RFC 3339, UTC; nil if it has not answered since the daemon's start.
        package var lastAnswer: String?

        package init(awaySince: String? = nil, code: String? = nil, reason: String? = nil, lastAnswer: String? = nil) {
            (self.awaySince, self.code, self.reason, self.lastAnswer) = (awaySince, code, reason, lastAnswer)
        }

        init(_ state: ServerState) {
            self.init(
                awaySince: state.outage?.since, code: state.outage?.code.description, reason: state.outage?.reason,
                lastAnswer: state.lastAnswer)
        }
    }

    package struct Usage: Sendable, Equatable {
        /// nil if it was never found out.
        package var space: FileSystemSpace?
        /// When that was: RFC 3339, UTC.
        package var asOf: String?
        /// Since when it cannot be found out: RFC 3339, UTC.
        package var unknownSince: String?

        package init(space: FileSystemSpace? = nil, asOf: String? = nil, unknownSince: String? = nil) {
            (self.space, self.asOf, self.unknownSince) = (space, asOf, unknownSince)
        }
    }

    /// nil if nothing is known of it.
    package var server: Server?
    /// nil if the kernel counts nothing, or the volume is not mounted.
    package var activity: ActivityCounters?
    package var usage: Usage?

    package init(server: Server? = nil, activity: ActivityCounters? = nil, usage: Usage? = nil) {
        (self.server, self.activity, self.usage) = (server, activity, usage)
    }

    package var isAway: Bool { server?.awaySince != nil }

    /// For those who look at a volume, as members of its status.
    package var json: JSONObject {
        var object = JSONObject()
        if let server { object["health"] = .object(server.json) }
        if let activity { object["activity"] = .object(activity.json) }
        if let usage { object["usage"] = .object(usage.json) }
        return object
    }
}

extension VolumeHealth.Server {
    package var json: JSONObject {
        var object: JSONObject = ["server": .string(awaySince == nil ? "answers" : "away")]
        if let awaySince { object["since"] = .string(awaySince) }
        if let code { object["code"] = .string(code) }
        if let reason { object["reason"] = .string(reason) }
        if let lastAnswer { object["lastAnswer"] = .string(lastAnswer) }
        return object
    }

    package init(_ fields: JSONObjectReader) throws(JSONShapeError) {
        self.init(
            awaySince: try fields.textIfPresent("since"), code: try fields.textIfPresent("code"),
            reason: try fields.textIfPresent("reason"),
            lastAnswer: try fields.textIfPresent("lastAnswer"))
    }
}

extension VolumeHealth.Usage {
    package var json: JSONObject {
        var object = JSONObject()
        if let space {
            object["size"] = JSONValue(space.size)
            object["used"] = JSONValue(space.used)
            object["free"] = JSONValue(space.free)
            object["inodes"] = JSONValue(space.inodes)
            object["freeInodes"] = JSONValue(space.freeInodes)
        }
        if let asOf { object["asOf"] = .string(asOf) }
        if let unknownSince { object["unknownSince"] = .string(unknownSince) }
        return object
    }

    package init(_ fields: JSONObjectReader) throws(JSONShapeError) {
        self.init(asOf: try fields.textIfPresent("asOf"), unknownSince: try fields.textIfPresent("unknownSince"))
        if let size: UInt64 = try fields.numberIfPresent("size") {
            space = FileSystemSpace(
                size: size, used: try fields.number("used"), free: try fields.number("free"), inodes: try fields.number("inodes"),
                freeInodes: try fields.number("freeInodes"))
        }
    }
}

extension ActivityCounters {
    var json: JSONObject {
        var object: JSONObject = [
            "age": JSONValue(age), "operations": JSONValue(operations), "bytesRead": JSONValue(bytesRead),
            "bytesWritten": JSONValue(bytesWritten), "retransmissions": JSONValue(retransmissions),
            "majorTimeouts": JSONValue(majorTimeouts), "errors": JSONValue(errors),
        ]
        for (name, average) in [("averageReadMilliseconds", reads.average), ("averageWriteMilliseconds", writes.average)] {
            // Microseconds say enough.
            if let average, let number = JSONNumber((average * 1000).rounded() / 1000) { object[name] = .number(number) }
        }
        return object
    }
}
