// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
import JSON
import LexicalPaths

/// Where Docker and containerd keep what an image says of itself.
public enum DockerImages {
    /// Bytes; 4 MiB is what registries accept of a manifest.
    private static let sizeLimit = 4 << 20
    /// Where a containerd that Docker did not start keeps its files.
    public static let containerdRoot = "/var/lib/containerd"

    /// The labels of a container's image; none if its description is not found. An image may be removed while its containers stay,
    /// so that is nothing unusual; a description that is there and cannot be read is an error.
    ///
    /// - Parameters:
    ///   - folder: Docker's data root.
    ///   - containerdRoot: containerd's.
    public static func labels(
        of container: DockerContainer, folder: String, containerdRoot: String = containerdRoot
    ) throws(EngineFilesError) -> StringMap {
        guard let image = digits(container.image) else { return [:] }
        if LexicalPath.isComponent(container.storageDriver) {
            let path = "\(folder)/image/\(container.storageDriver)/imagedb/content/sha256/\(image)"
            if let found = try read(path, { (image: JSONObjectReader) throws(JSONShapeError) in try image.object("config").map("Labels") })
            {
                return found
            }
        }
        // containerd's own store: a manifest that names the description. What `Image` names may be a list of several manifests.
        for manifest in [digits(container.imageManifest), image] {
            guard let manifest else { continue }
            for root in ["\(folder)/containerd/daemon", containerdRoot] {
                let blobs = "\(root)/io.containerd.content.v1.content/blobs/sha256"
                let name = try read(
                    "\(blobs)/\(manifest)",
                    { (manifest: JSONObjectReader) throws(JSONShapeError) in try manifest.object("config").text("digest") }
                )
                guard let name, let description = digits(name) else { continue }
                let labels = try read(
                    "\(blobs)/\(description)",
                    { (image: JSONObjectReader) throws(JSONShapeError) in try image.object("config").map("Labels") })
                if let labels { return labels }
            }
        }
        return [:]
    }

    private static func read<Value>(
        _ path: String, _ decode: (JSONObjectReader) throws(JSONShapeError) -> Value
    ) throws(EngineFilesError) -> Value? {
        guard let content = try readEngineFile(path, limit: sizeLimit) else { return nil }
        do throws(JSONShapeError) {
            return try decode(try JSONObjectReader(parsing: content))
        } catch {
            throw EngineFilesError(path, error)
        }
    }

    /// - Returns: nil if it is not `sha256:` and 64 hexadecimal digits.
    private static func digits(_ digest: String) -> String? {
        let prefix = "sha256:"
        guard digest.utf8.starts(with: prefix.utf8) else { return nil }
        let digits = digest.utf8.dropFirst(prefix.utf8.count)
        let isDigit = { (byte: UInt8) in
            (UInt8(ascii: "0")...UInt8(ascii: "9")).contains(byte) || (UInt8(ascii: "a")...UInt8(ascii: "f")).contains(byte)
        }
        guard digits.count == 64, digits.allSatisfy(isDigit) else { return nil }
        return String(decoding: digits, as: UTF8.self)
    }
}
