// SPDX-License-Identifier: AGPL-3.0-or-later

import Glibc
public import KernelMount
public import LinuxSystem
public import SystemPackage

/// What a TCP connection and one NULL call showed about an address.
public enum ProbeResult: Sendable, Equatable {
    /// It answered; `local` is this host's address on the way there.
    case answers(local: String)
    /// connect(2) failed: refused, no route, …
    case unreachable(Errno)
    /// Nothing came back to the connection attempt in time.
    case silent
    /// There is a connection, but the call was not answered in time.
    case mute(local: String)
    /// A better address answered first.
    case undecided
}

/// Asks addresses, all at once, whether an RPC server answers there. Contacting a server from user space first keeps the
/// kernel's own first contact, which has no limit, away from servers that are not there.
public struct ServerProbe: Sendable {
    private let port: UInt16
    private let program: UInt32
    private let version: UInt32

    /// For the NFS server itself.
    public static func nfs(port: UInt16, version: NFSVersion) -> ServerProbe {
        ServerProbe(port: port, program: RemoteProcedureCall.nfsProgram, version: version == .v3 ? 3 : 4)
    }

    /// Ends as soon as the first address in order that can answer has answered, at the latest at the deadline.
    public func ask(_ addresses: [ServerAddress], by deadline: Deadline, cancellation: Cancellation?) -> [ProbeResult] {
        let contacts = addresses.map { Contact($0, port: port, program: program, version: version) }
        return Self.follow(contacts, by: deadline, cancellation, until: { $0.first { !$0.hasFailed }?.isDone != false }) { contacts in
            let expired = deadline.hasPassed
            return contacts.map { $0.result(expired: expired) }
        }
    }

    /// Where the rpcbind of each address says that version 3 is served over TCP. RFC 1833, GETPORT.
    ///
    /// - Parameter port: rpcbind's own.
    /// - Returns: for each address, in order: 0 if it is not served, nil if rpcbind has not said.
    static func portsOfVersion3(
        at addresses: [ServerAddress], by deadline: Deadline, cancellation: Cancellation?, port: UInt16
    ) -> [UInt16?] {
        ports(of: RemoteProcedureCall.nfsProgram, version: 3, at: addresses, by: deadline, cancellation, portmapPort: port)
    }

    /// Whether this host's rpc.statd is registered, which version 3 needs for locks. RFC 1833, GETPORT.
    public static func statusMonitorRuns(by deadline: Deadline) -> Bool {
        let here = ServerAddress(.ipv4, "127.0.0.1")
        return (ports(of: RemoteProcedureCall.statusProgram, version: 1, at: [here], by: deadline, nil)[0] ?? 0) != 0
    }

    private static func ports(
        of program: UInt32, version: UInt32, at addresses: [ServerAddress], by deadline: Deadline, _ cancellation: Cancellation?,
        portmapPort: UInt16 = RemoteProcedureCall.portmapPort
    ) -> [UInt16?] {
        let contacts = addresses.map {
            Contact(
                $0, port: portmapPort, program: RemoteProcedureCall.portmapProgram, version: RemoteProcedureCall.portmapVersion,
                procedure: RemoteProcedureCall.portmapGetPort, arguments: [program, version, UInt32(IPPROTO_TCP), 0])
        }
        return follow(contacts, by: deadline, cancellation, until: { $0.allSatisfy { $0.isDone || $0.hasFailed } }) { contacts in
            contacts.map { contact in contact.isDone ? contact.resultWord.flatMap(UInt16.init(exactly:)) : nil }
        }
    }

    /// Lets contacts go on until they have shown enough, at the latest until the deadline.
    private static func follow<Value>(
        _ begun: [Contact], by deadline: Deadline, _ cancellation: Cancellation?, until isEnough: ([Contact]) -> Bool,
        _ outcome: ([Contact]) -> [Value]
    ) -> [Value] {
        var contacts = begun
        defer { for contact in contacts { contact.close() } }
        while !isEnough(contacts), !deadline.hasPassed, cancellation?.isCancelled != true {
            var poll = Poll()
            for contact in contacts { contact.add(to: &poll) }
            poll.add(cancellation?.descriptor.rawValue)
            poll.wait(until: deadline)
            for index in contacts.indices where poll.hasCome(at: index) { contacts[index].advance() }
        }
        return outcome(contacts)
    }
}

/// One address on its way from connecting to having answered.
private struct Contact {
    private enum State: Equatable {
        case connecting, waiting, answered
        case failed(Errno)
    }

    /// Bytes in which a reply must have begun; the one to a NULL call has 28.
    private static let longestReply = 4096

    private let id: UInt32
    private let message: [UInt8]
    private var state: State
    private var descriptor: CInt = -1
    private var local = ""
    private var reply: [UInt8] = []

    init(_ address: ServerAddress, port: UInt16, program: UInt32, version: UInt32, procedure: UInt32 = 0, arguments: [UInt32] = []) {
        id = UInt32.random(in: 1...UInt32.max)
        message = RemoteProcedureCall.call(program: program, version: version, procedure: procedure, arguments: arguments, id: id)
        state = .connecting
        var hints = addrinfo()
        hints.ai_flags = AI_NUMERICHOST | AI_NUMERICSERV
        hints.ai_socktype = CInt(SOCK_STREAM.rawValue)
        var list: UnsafeMutablePointer<addrinfo>?
        guard getaddrinfo(address.text, String(port), &hints, &list) == 0, let entry = list?.pointee else {
            state = .failed(.addressNotAvailable)
            return
        }
        defer { freeaddrinfo(list) }
        let type = CInt(SOCK_STREAM.rawValue | SOCK_NONBLOCK.rawValue | SOCK_CLOEXEC.rawValue)
        descriptor = socket(entry.ai_family, type, 0)
        if descriptor < 0 || connect(descriptor, entry.ai_addr, entry.ai_addrlen) < 0 {
            let code = Errno(rawValue: errno)
            if code != .nowInProgress { state = .failed(code) }
        }
    }

    var isDone: Bool { state == .answered }
    var hasFailed: Bool { if case .failed = state { true } else { false } }
    var resultWord: UInt32? { RemoteProcedureCall.result(reply, to: id) }

    /// Takes one place, also if there is nothing to wait for any more.
    func add(to poll: inout Poll) {
        poll.add(isDone || hasFailed ? nil : descriptor, for: state == .connecting ? .writable : .readable)
    }

    /// Takes the next step after poll(2) said that there is one.
    mutating func advance() {
        if state == .connecting {
            var code: CInt = 0
            var length = socklen_t(MemoryLayout<CInt>.size)
            getsockopt(descriptor, SOL_SOCKET, SO_ERROR, &code, &length)
            if code != 0 {
                state = .failed(Errno(rawValue: code))
                return
            }
            local = localAddress()
            // Forty bytes into an empty socket buffer: they go out whole.
            let sent = send(descriptor, message, message.count, CInt(MSG_NOSIGNAL))
            state = sent == message.count ? .waiting : .failed(Errno(rawValue: errno))
            return
        }
        var buffer = [UInt8](repeating: 0, count: 256)
        let count = recv(descriptor, &buffer, buffer.count, 0)
        if count > 0 {
            reply.append(contentsOf: buffer[..<count])
            if RemoteProcedureCall.isReply(reply, to: id) {
                state = .answered
            } else if reply.count > Self.longestReply {
                state = .failed(.protocolError)
            }
        } else if count == 0 || errno != EAGAIN {
            state = .failed(count == 0 ? .connectionReset : Errno(rawValue: errno))
        }
    }

    func result(expired: Bool) -> ProbeResult {
        switch state {
        case .answered: .answers(local: local)
        case .failed(let code): .unreachable(code)
        case .connecting: expired ? .silent : .undecided
        case .waiting: expired ? .mute(local: local) : .undecided
        }
    }

    func close() { if descriptor >= 0 { Glibc.close(descriptor) } }

    private func localAddress() -> String {
        var storage = sockaddr_storage()
        var length = socklen_t(MemoryLayout<sockaddr_storage>.size)
        return withUnsafeMutablePointer(to: &storage) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { address in
                getsockname(descriptor, address, &length)
                return NumericAddress.text(address, length) ?? ""
            }
        }
    }
}
