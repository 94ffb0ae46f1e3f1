// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
public import LinuxSystem
import Synchronization
import SystemPackage

/// Why a name gave no address.
public struct ResolutionFailure: Error, Sendable, Equatable {
    /// getaddrinfo(3)'s words, or that it took too long.
    public var reason: String
    /// Trying again later may help.
    public var isTemporary: Bool
}

/// Asks the host's resolver for the addresses of names.
///
/// The resolver cannot be interrupted, so each look runs on a thread of its own, which is left behind when the deadline passes. There is
/// one look at a name at a time, which is shared by all who ask meanwhile, and a limit to all together: a name service that hangs costs
/// that many threads, however often it is asked.
public final class NameResolver: Sendable {
    /// getaddrinfo(3), or what a test puts in its place. Blocks, perhaps for ever.
    typealias LookUp = @Sendable (String) -> Result<[ServerAddress], ResolutionFailure>

    private final class Look: Sendable {
        /// Comes with the result.
        let ready: Cancellation
        private let result = Mutex<Result<[ServerAddress], ResolutionFailure>?>(nil)

        init() throws(SystemError) { ready = try Cancellation() }

        /// nil while it is under way.
        var outcome: Result<[ServerAddress], ResolutionFailure>? { result.withLock { $0 } }

        func end(with outcome: Result<[ServerAddress], ResolutionFailure>) {
            result.withLock { $0 = outcome }
            ready.cancel()
        }
    }

    /// Names that are looked at together.
    private static let mostLooks = 64

    private let underWay = Mutex<[String: Look]>([:])
    private let waiting = Mutex(0)
    private let mostLooks: Int
    private let lookUp: LookUp

    public convenience init() { self.init(mostLooks: Self.mostLooks) { addresses(of: $0) } }

    init(mostLooks: Int, lookUp: @escaping LookUp) {
        self.mostLooks = mostLooks
        self.lookUp = lookUp
    }

    /// Those who wait for a look.
    var askers: Int { waiting.withLock { $0 } }

    /// Every address of a name, in the resolver's order. Blocks until the deadline at the longest.
    ///
    /// - Returns: at least one address, without repetitions. getaddrinfo(3).
    public func resolve(
        _ name: ServerName, by deadline: Deadline, cancellation: Cancellation?
    ) throws(ResolutionFailure) -> [ServerAddress] {
        // An address needs no name service, whatever becomes of those who ask it.
        if case .success(let addresses) = addresses(of: name.text, flags: AI_NUMERICHOST) { return addresses }
        var hasJoined = false
        while true {
            let (look, isOwn) = try look(at: name.text)
            var poll = Poll()
            let answered = poll.add(look.ready.descriptor.rawValue)
            poll.add(cancellation?.descriptor.rawValue)
            waiting.withLock { $0 += 1 }
            defer { waiting.withLock { $0 -= 1 } }
            if !poll.wait(until: deadline) { throw ResolutionFailure(reason: "the resolver did not answer in time", isTemporary: true) }
            guard poll.hasCome(at: answered), let outcome = look.outcome else {
                throw ResolutionFailure(reason: "cancelled", isTemporary: true)
            }
            switch outcome {
            case .success(let addresses): return addresses
            case .failure(let failure):
                // It began before this was asked, and what failed then may not fail now.
                guard !isOwn, !hasJoined, failure.isTemporary, !deadline.hasPassed else { throw failure }
                hasJoined = true
            }
        }
    }

    /// The look at a name that is under way, or a new one.
    private func look(at name: String) throws(ResolutionFailure) -> (look: Look, isOwn: Bool) {
        do throws(SystemError) {
            let new = try Look()
            let (look, isAllowed) = underWay.withLock { underWay in
                if let look = underWay[name] { return (look, true) }
                guard underWay.count < mostLooks else { return (new, false) }
                underWay[name] = new
                return (new, true)
            }
            guard isAllowed else {
                throw SystemError(
                    "getaddrinfo", .resourceTemporarilyUnavailable, on: name,
                    hint: "the resolver has not answered for \(mostLooks) other names yet")
            }
            if look !== new { return (look, false) }
            do throws(SystemError) {
                try BlockingThread.start(named: "resolve-name") { [self] in end(new, at: name, with: lookUp(name)) }
            } catch {
                end(new, at: name, with: .failure(ResolutionFailure(reason: "\(error)", isTemporary: true)))
            }
            return (new, true)
        } catch {
            throw ResolutionFailure(reason: "\(error)", isTemporary: true)
        }
    }

    /// Who asks from now on has a look of its own.
    private func end(_ look: Look, at name: String, with outcome: Result<[ServerAddress], ResolutionFailure>) {
        underWay.withLock { $0[name] = nil }
        look.end(with: outcome)
    }
}

extension NameResolver: Equatable {
    /// Which one is used makes no difference to what is asked for.
    public static func == (left: NameResolver, right: NameResolver) -> Bool { true }
}

private func addresses(of name: String, flags: CInt = 0) -> Result<[ServerAddress], ResolutionFailure> {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
    hints.ai_flags = flags
    hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
    var list: UnsafeMutablePointer<addrinfo>?
    let code = getaddrinfo(name, nil, &hints, &list)
    if code != 0 {
        let words = code == EAI_SYSTEM ? String(cString: strerror(errno)) : String(cString: gai_strerror(code))
        return .failure(ResolutionFailure(reason: words, isTemporary: code == EAI_AGAIN || code == EAI_SYSTEM))
    }
    defer { freeaddrinfo(list) }
    var addresses: [ServerAddress] = []
    var next = list
    while let entry = next {
        next = entry.pointee.ai_next
        guard let address = entry.pointee.ai_addr, let text = NumericAddress.text(address, entry.pointee.ai_addrlen) else { continue }
        let found = ServerAddress(entry.pointee.ai_family == AF_INET6 ? .ipv6 : .ipv4, text)
        if !addresses.contains(found) { addresses.append(found) }
    }
    if addresses.isEmpty { return .failure(ResolutionFailure(reason: "the name has no IPv4 or IPv6 address", isTemporary: false)) }
    return .success(addresses)
}
