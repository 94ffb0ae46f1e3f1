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

/// Asks the host's resolver for every address of a name, in its order.
///
/// The resolver cannot be interrupted, so it works on a thread of its own that is left behind when the deadline passes.
///
/// - Returns: at least one address, without repetitions. getaddrinfo(3).
public func resolve(_ name: ServerName, by deadline: Deadline, cancellation: Cancellation?) throws(ResolutionFailure) -> [ServerAddress] {
    let answer = Answer()
    do throws(SystemError) {
        answer.ready = try Cancellation()
        try BlockingThread.start(named: "resolve-name") { [answer] in
            answer.result.withLock { $0 = lookUp(name.text) }
            answer.ready?.cancel()
        }
    } catch {
        throw ResolutionFailure(reason: "\(error)", isTemporary: true)
    }
    guard let ready = answer.ready else { throw ResolutionFailure(reason: "out of descriptors", isTemporary: true) }
    var poll = Poll()
    let answered = poll.add(ready.descriptor.rawValue)
    poll.add(cancellation?.descriptor.rawValue)
    if !poll.wait(until: deadline) { throw ResolutionFailure(reason: "the resolver did not answer in time", isTemporary: true) }
    if !poll.hasCome(at: answered) { throw ResolutionFailure(reason: "cancelled", isTemporary: true) }
    switch answer.result.withLock({ $0 }) {
    case .success(let addresses): return addresses
    case .failure(let failure): throw failure
    }
}

private final class Answer: @unchecked Sendable {
    // @unchecked: `ready` is set before the thread starts and only read after that.
    var ready: Cancellation?
    let result = Mutex<Result<[ServerAddress], ResolutionFailure>>(.success([]))
}

private func lookUp(_ name: String) -> Result<[ServerAddress], ResolutionFailure> {
    var hints = addrinfo()
    hints.ai_family = AF_UNSPEC
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
