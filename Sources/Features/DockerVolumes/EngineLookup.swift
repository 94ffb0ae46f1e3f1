// SPDX-License-Identifier: AGPL-3.0-or-later

import LinuxSystem
import Logging
import SystemPackage

/// Makes a Docker Engine look the driver up, which it otherwise does only when the driver is used.
///
/// Swarm's scheduler gives tasks that name a driver to nodes whose engine has it loaded, and says "missing plugin" of the others.
/// Listing a driver's volumes loads it and has no other effect (moby, volume/service/store.go: `list` gets all drivers that have a
/// socket, then asks those that the filter names).
///
/// The connection stays open afterwards and is not used again: its end says that the engine has ended, so that the next one is
/// asked in its turn, and nothing has to be looked at meanwhile.
///
/// An engine that is stopped closes its connections long before its process ends, and where systemd listens in its place, it would
/// be started again for a connection that comes in between. So an engine process is asked only once if it may have accepted a
/// connection that has ended since.
struct EngineLookup: Sendable {
    /// Where the engine's API is served.
    let socket: FilePath
    let drivers: [String]
    let logger: Logger
    /// The engines that run.
    var engines: @Sendable () -> [ProcessIdentity] = { MountNamespace.processes(named: "dockerd").compactMap(ProcessIdentity.init(of:)) }
    var firstPause = Duration.seconds(1)
    /// Is told when an engine answers, and when it has closed the connection, because it ends.
    var onChange: @Sendable (_ isServing: Bool) -> Void = { _ in }

    /// For the request. An engine answers late while it starts and waits for other drivers; there is no limit for that.
    private static let sendingLimit = Duration.seconds(90)
    private static let settling = Duration.milliseconds(50)
    private static let longestPause = Duration.seconds(16)
    /// An engine that stays this long is asked again at once when its connection ends.
    private static let steady = Duration.seconds(60)
    private static let longestHead = 16 << 10

    /// Follows engines as they come and go. Blocks until the cancellation.
    func run(_ cancellation: Cancellation) {
        var pause = firstPause
        var reported: String?
        var asked: [ProcessIdentity] = []
        while !cancellation.isCancelled {
            let began = ContinuousClock.now
            let present = engines()
            asked.removeAll { !present.contains($0) }
            // What is there for a moment only is a process that an engine is about to start.
            let new = present.filter { !asked.contains($0) }
            if !new.isEmpty, cancellation.sleep(for: Self.settling), engines().contains(where: new.contains) {
                do throws(SystemError) {
                    let stream = try LocalStream(connectingTo: socket)
                    let before = asked
                    asked = present
                    let answer = try ask(on: stream, cancellation)
                    guard answer.hasBytePrefix("HTTP/1.1 200 ") else {
                        // One that answers at all is not being stopped.
                        if !answer.isEmpty { asked = before }
                        throw SystemError(
                            "GET /volumes", .protocolError, on: socket.string,
                            hint: answer.isEmpty ? "no answer" : "the answer was \"\(answer)\"")
                    }
                    logger.info("the engine at \(socket) has looked up \(drivers.joined(separator: " and "))")
                    reported = nil
                    onChange(true)
                    defer { onChange(false) }
                    while try !stream.receive(until: nil, cancellation: cancellation).isEmpty {}
                } catch {
                    if cancellation.isCancelled { return }
                    // Each kind of trouble once: it can last for as long as the host runs.
                    if reported != "\(error)" {
                        logger.notice("the engine at \(socket) was not told of the driver: \(error); trying again")
                    }
                    reported = "\(error)"
                }
            }
            if ContinuousClock.now - began >= Self.steady { pause = firstPause }
            guard cancellation.sleep(for: pause) else { return }
            pause = min(pause * 2, Self.longestPause)
        }
    }

    /// - Returns: the answer's first line, empty if the connection has ended without one.
    private func ask(on stream: LocalStream, _ cancellation: Cancellation) throws(SystemError) -> String {
        try stream.send(request, until: Deadline(after: Self.sendingLimit), cancellation: cancellation)
        var head: [UInt8] = []
        while !head.contains(0x0a) {
            let more = try stream.receive(until: nil, cancellation: cancellation)
            head += more
            if more.isEmpty || head.count > Self.longestHead { break }
        }
        return String(decoding: head.prefix { $0 >= 0x20 && $0 < 0x7f }.prefix(80), as: UTF8.self)
    }

    /// `filters` is a JSON object of lists, percent-encoded.
    private var request: [UInt8] {
        let list = drivers.map { "%22\($0)%22%3Atrue" }.joined(separator: "%2C")
        return Array(
            "GET /volumes?filters=%7B%22driver%22%3A%7B\(list)%7D%7D HTTP/1.1\r\nHost: docker\r\nUser-Agent: docker-nfsd\r\n\r\n".utf8)
    }
}
