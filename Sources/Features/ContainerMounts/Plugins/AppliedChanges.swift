// SPDX-License-Identifier: AGPL-3.0-or-later

import DockerPluginAPI
import LinuxSystem
import OCIRuntime
import SystemPackage

extension OCIConfiguration {
    /// Applies the changes of plugins to a mount.
    ///
    /// - Parameter index: of ``mounts``.
    mutating func apply(_ changes: MountPointChanges, toMount index: Int) {
        let isMemory = mounts[index].isTmpfs
        if !changes.effectiveSource.isEmpty {
            if isMemory {
                makeBind(
                    ofMount: index, source: changes.effectiveSource, options: MountOptionList(mounts[index].options).forBindMount.options)
            } else {
                setSource(ofMount: index, to: changes.effectiveSource)
            }
        }
        var options = MountOptionList(mounts[index].options)
        let added = (changes.readOnly ? ["ro"] : []) + changes.options.map(\.rawValue)
        let isRecursive = !added.isEmpty && knowsRecursiveMountAttributes()
        for option in added { options.add(option, recursively: isRecursive) }
        if !changes.propagation.isUnspecified { options.setPropagation(changes.propagation.rawValue) }
        if options != MountOptionList(mounts[index].options) { setOptions(ofMount: index, to: options.options) }
    }
}

extension MountPointChanges {
    /// Whether the mount in config.json changes.
    var changesMount: Bool { !effectiveSource.isEmpty || readOnly || !options.isEmpty || !propagation.isUnspecified }
}

extension ContainerDescription {
    /// Adds what config.json says of the container.
    ///
    /// - Parameter bundle: the folder of config.json.
    func adding(_ configuration: OCIConfiguration, of bundle: FilePath) -> ContainerDescription {
        var container = self
        container.user = configuration.user.map { User(uid: $0.uid, gid: $0.gid, additionalGIDs: $0.additionalGIDs) }
        container.uidMappings = configuration.uidMappings.map(IDMapping.init)
        container.gidMappings = configuration.gidMappings.map(IDMapping.init)
        container.cgroup = configuration.cgroupsPath ?? ""
        container.root = configuration.rootPath.map { bundle.pushing(FilePath($0)).lexicallyNormalized().string } ?? ""
        return container
    }
}

extension ContainerDescription.IDMapping {
    fileprivate init(_ mapping: OCIConfiguration.IDMapping) {
        self.init(containerID: mapping.containerID, hostID: mapping.hostID, size: mapping.size)
    }
}
