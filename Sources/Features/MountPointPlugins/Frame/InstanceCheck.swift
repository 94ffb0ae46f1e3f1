// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
import LinuxSystem
public import SystemPackage

/// What `doctor` and `check` look at.
public enum InstanceCheck {
    /// Whether a settings file is one of this kind.
    ///
    /// - Throws: `PluginError` that names the file and the member.
    public static func check(_ file: FilePath, of kind: any PluginKind.Type, places: PluginPlaces) throws(PluginError) {
        _ = try InstanceSettings(of: kind, PluginInstance(of: kind.information.name, places: places), file: file)
    }

    /// Of this kind, or of all: its settings, its socket, its place in the chains, and what the kernel has of what it needs.
    public static func findings(of kind: (any PluginKind.Type)? = nil, places: PluginPlaces) -> [PluginFinding] {
        let chains: [ChainOrder]
        var findings: [PluginFinding] = []
        do throws(PluginError) { chains = try ChainOrder.all(on: places) } catch {
            chains = []
            findings.append(PluginFinding(.failed, "\(error)"))
        }
        if chains.isEmpty && findings.isEmpty {
            findings.append(PluginFinding(.warning, "\(places.runtimeSettings) names no plugin, so none is asked about any mount"))
        }
        findings += chains.flatMap { $0.findings(of: kind?.information.name) }
        for kind in kind.map({ [$0] }) ?? KindCatalogue.all {
            for name in names(of: kind.information.name, in: chains) {
                do throws(PluginError) {
                    let instance = try PluginInstance(of: kind.information.name, named: name, places: places)
                    findings += general(kind, instance, isInChain: chains.contains { $0.names.contains { $0.hasSameBytes(as: name) } })
                } catch {
                    findings.append(PluginFinding(.failed, "\(error)"))
                }
            }
            if let instance = try? PluginInstance(of: kind.information.name, places: places) { findings += kind.findings(on: instance) }
        }
        return findings
    }

    /// That of the kind, and those in a chain that are taken for it.
    private static func names(of kind: String, in chains: [ChainOrder]) -> [String] {
        var names = [kind]
        for name in chains.flatMap(\.names) where ChainOrder.kind(of: name) == kind && !names.contains(where: { $0.hasSameBytes(as: name) })
        {
            names.append(name)
        }
        return names
    }

    private static func general(_ kind: any PluginKind.Type, _ instance: PluginInstance, isInChain: Bool) -> [PluginFinding] {
        var findings: [PluginFinding] = []
        do throws(PluginError) {
            _ = try InstanceSettings(of: kind, instance)
            let isThere = (try? mode(of: instance.settingsFile)) != nil
            let text =
                isThere ? "the settings in \(instance.settingsFile) are right" : "there is no \(instance.settingsFile); the defaults hold"
            findings.append(PluginFinding(.ok, "\(instance.name): \(text)"))
        } catch {
            findings.append(PluginFinding(.failed, "\(instance.name): \(error)"))
        }
        let isServed = (try? mode(of: instance.socket)) != nil
        let unit = "mountpoint-plugin@\(instance.name).socket"
        switch (isInChain, isServed) {
        case (true, true): findings.append(PluginFinding(.ok, "\(instance.name): it is in the chain, and has its socket"))
        case (true, false):
            findings.append(
                PluginFinding(
                    .failed, "\(instance.name): it is in the chain and not served, so no container starts; systemctl enable --now \(unit)"))
        case (false, true):
            findings.append(
                PluginFinding(
                    .warning,
                    "\(instance.name): it is served and in no chain, so it is not asked; name it in \(instance.places.runtimeSettings)"))
        case (false, false): findings.append(PluginFinding(.ok, "\(instance.name): it is not in use"))
        }
        return findings
    }
}
