// SPDX-License-Identifier: AGPL-3.0-or-later

import LexicalPaths
import LinuxSystem
import OCIRuntime
import SystemPackage

extension OCIConfiguration {
    /// Replaces paths of a supervisor's namespaces by those of its container's first process.
    ///
    /// For `docker run --pid=container:NAME`, the engine writes `/proc/PID/ns/pid` with the id of the process that it regards as that
    /// container's, which is the supervisor. A supervisor cannot be in its container's process id and user namespaces, so the new container
    /// would share the host's.
    ///
    /// - Returns: whether anything is changed.
    /// - Throws: `RuntimeError` if that container has ended.
    mutating func joinContainersOfSupervisors(_ state: String) throws(RuntimeError) -> Bool {
        var isChanged = false
        var records: [SupervisionState]?
        for (index, namespace) in namespaces.enumerated() {
            guard let path = namespace.path, let (process, name) = Self.processNamespace(path) else { continue }
            let known = records ?? ContainerFolder.all(in: state).compactMap { try? $0.record() }
            records = known
            guard let record = known.first(where: { $0.supervisor?.process == process && $0.supervisor?.isAlive == true }) else { continue }
            guard let first = record.process, first.isAlive else {
                throw RuntimeError(
                    .noSuchContainer, "container \(record.id), whose \(namespace.type) namespace is to be joined, is not running")
            }
            setPath(ofNamespace: index, to: "/proc/\(first.process)/ns/\(name)")
            isChanged = true
        }
        return isChanged
    }

    /// `/proc/PID/ns/NAME`
    private static func processNamespace(_ path: String) -> (process: Int32, name: String)? {
        let components = LexicalPath.components(of: path)
        guard components.count == 4, components[0] == "proc", components[2] == "ns", let process = Int32(components[1]) else { return nil }
        return (process, components[3])
    }
}
