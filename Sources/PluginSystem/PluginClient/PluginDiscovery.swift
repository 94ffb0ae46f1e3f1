// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import Glibc
import JSON
import LinuxSystem
import SystemPackage

/// Finds plugins by name in the places and the order in which Docker does (moby, pkg/plugins/discovery.go).
public struct PluginDiscovery: Sendable {
    public var socketDirectory: String
    public var specificationDirectories: [String]

    public init(
        socketDirectory: String = "/run/docker/plugins",
        specificationDirectories: [String] = ["/etc/docker/plugins", "/usr/lib/docker/plugins"]
    ) {
        self.socketDirectory = socketDirectory
        self.specificationDirectories = specificationDirectories
    }

    /// Bytes of a `.spec` or `.json` file.
    private static let specificationLimit = 64 << 10

    /// The first that is there of `NAME.sock` and `NAME/NAME.sock`, then in each folder `NAME.spec`, `NAME/NAME.spec`, `NAME.json`,
    /// `NAME/NAME.json`. Whether a plugin listens there shows at the first call.
    ///
    /// - Throws: `PluginClientError` of the kind `notSent`.
    public func find(_ text: String) throws(PluginClientError) -> PluginEndpoint {
        let name = try PluginName(text)
        var notes: [String] = []
        for path in Self.paths(socketDirectory, name, "sock") {
            guard let type = fileType(path, &notes) else { continue }
            if type == S_IFSOCK { return PluginEndpoint(name: name, address: .unix(path: path), foundAt: path) }
            notes.append("\(path) is there, but is no socket")
        }
        for folder in specificationDirectories {
            for path in Self.paths(folder, name, "spec") + Self.paths(folder, name, "json") where fileType(path, &notes) != nil {
                let address = try path.hasSuffix(".spec") ? line(of: path, name) : member(of: path, name)
                return PluginEndpoint(name: name, address: address, foundAt: path)
            }
        }
        let places = ["\(socketDirectory)/\(name).sock"] + specificationDirectories.map { "\($0)/\(name).spec and .json" }
        let seen = notes.isEmpty ? "" : " (\(notes.joined(separator: "; ")))"
        var failure = PluginClientError(
            .notSent, plugin: name.text,
            "plugin \(name) was not found in \(places.joined(separator: ", "))\(seen); start it, or take it out of the chain")
        failure.isAbsence = true
        throw failure
    }

    private static func paths(_ folder: String, _ name: PluginName, _ ending: String) -> [String] {
        ["\(folder)/\(name).\(ending)", "\(folder)/\(name)/\(name).\(ending)"]
    }

    /// Nil if it is not there; links are followed.
    private func fileType(_ path: String, _ notes: inout [String]) -> mode_t? {
        var status = stat()
        do throws(SystemError) {
            try systemCall("stat", on: path) { stat(path, &status) }
            return status.st_mode & S_IFMT
        } catch {
            if error.errno != .noSuchFileOrDirectory && error.errno != .notDirectory { notes.append("\(error)") }
            return nil
        }
    }

    private func line(of path: String, _ name: PluginName) throws(PluginClientError) -> PluginAddress {
        let content = String(decoding: try content(of: path, name), as: UTF8.self)
        let isSpace = { (byte: UInt8) in byte == 0x20 || (0x09...0x0d).contains(byte) }
        let trimmed = content.utf8.drop(while: isSpace).reversed().drop(while: isSpace).reversed()
        return try address(String(decoding: Array(trimmed), as: UTF8.self), in: path, name)
    }

    private func member(of path: String, _ name: PluginName) throws(PluginClientError) -> PluginAddress {
        let bytes = try content(of: path, name)
        let asksForTLS: Bool
        let text: String
        do throws(JSONShapeError) {
            // Docker reads names of members in any case.
            let object = try JSONObjectReader(parsing: bytes, names: .anyCase)
            asksForTLS = object.has("TLSConfig")
            text = asksForTLS ? "" : try object.need("Addr", object.textIfPresent)
        } catch {
            throw refusal(name, path, error.place.isEmpty ? error.reason : "has a wrong member: \(error)", cause: error)
        }
        if asksForTLS {
            throw refusal(
                name, path,
                "has a TLSConfig, and TLS is not supported yet; let the plugin listen on a UNIX socket, or on a local address without TLS")
        }
        return try address(text, in: path, name)
    }

    private func content(of path: String, _ name: PluginName) throws(PluginClientError) -> [UInt8] {
        do throws(SystemError) {
            return try readRegularFile(FilePath(path), limit: Self.specificationLimit)
        } catch {
            throw PluginClientError(
                .notSent, plugin: name.text, "plugin \(name): \(error); correct this file, or take the plugin out of the chain",
                cause: error)
        }
    }

    private func address(_ text: String, in path: String, _ name: PluginName) throws(PluginClientError) -> PluginAddress {
        do throws(PluginAddressError) {
            return try PluginAddress(text)
        } catch {
            throw refusal(name, path, "gives the address \"\(SanitizedText(text, limit: 200).text)\": \(error)", cause: error)
        }
    }

    private func refusal(_ name: PluginName, _ path: String, _ what: String, cause: (any Error)? = nil) -> PluginClientError {
        PluginClientError(.notSent, plugin: name.text, "plugin \(name): \(path) \(what)", cause: cause)
    }
}
