// SPDX-License-Identifier: AGPL-3.0-or-later

public import DockerPluginAPI
import LexicalPaths

// Text is compared by its bytes throughout, never by Unicode's canonical equivalence: paths and labels are bytes to the kernel and
// to Docker.

extension StringPattern {
    public func matches(_ text: String) -> Bool {
        let bytes = text.utf8
        if empty && bytes.isEmpty == not { return false }
        if !prefix.isEmpty && bytes.starts(with: prefix.utf8) == not { return false }
        if !suffix.isEmpty && bytes.reversed().starts(with: suffix.utf8.reversed()) == not { return false }
        if !exactly.isEmpty && bytes.elementsEqual(exactly.utf8) == not { return false }
        if !contains.isEmpty && Self.contains(bytes, contains.utf8) == not { return false }
        if !pathPrefix.isEmpty && LexicalPath.isSame(pathPrefix, orAbove: text) == not { return false }
        if !pathContains.isEmpty && LexicalPath.isSame(text, orAbove: pathContains) == not { return false }
        return true
    }

    /// Whether it holds for one of several names of the same thing; with ``not``, for each of them.
    func matches(oneOf names: [String]) -> Bool {
        isEmpty || (not ? names.allSatisfy(matches) : names.contains(where: matches))
    }

    private static func contains(_ bytes: String.UTF8View, _ part: String.UTF8View) -> Bool {
        var rest = bytes[...]
        while rest.count >= part.count {
            if rest.starts(with: part) { return true }
            rest.removeFirst()
        }
        return false
    }
}

extension StringMapPattern {
    public func matches(_ map: StringMap) -> Bool {
        exists.allSatisfy { $0.isInSome(of: map) != not } && all.allSatisfy { $0.isInEvery(of: map) != not }
    }
}

extension StringMapPattern.Element {
    fileprivate func isInSome(of map: StringMap) -> Bool {
        map.entries.contains { key.matches($0.key) && value.matches($0.value) }
    }

    /// In an empty map, too.
    fileprivate func isInEvery(of map: StringMap) -> Bool {
        map.entries.allSatisfy { key.matches($0.key) ? value.matches($0.value) : !value.isEmpty }
    }
}

extension AppliedMiddlewarePattern {
    public func matches(_ applied: [AppliedMiddleware]) -> Bool {
        exists.allSatisfy { element in applied.contains(where: element.matches) }
            && notExists.allSatisfy { element in !applied.contains(where: element.matches) }
            && all.allSatisfy { element in applied.allSatisfy(element.matches) }
            && notAll.allSatisfy { element in !applied.allSatisfy(element.matches) }
            && (anySequence.isEmpty || Self.isAnywhere(anySequence, in: applied))
            && (notAnySequence.isEmpty || !Self.isAnywhere(notAnySequence, in: applied))
            && (topSequence.isEmpty || Self.isAtStart(topSequence, of: applied[...]))
            && (notTopSequence.isEmpty || !Self.isAtStart(notTopSequence, of: applied[...]))
            && (bottomSequence.isEmpty || Self.isAtEnd(bottomSequence, of: applied))
            && (notBottomSequence.isEmpty || !Self.isAtEnd(notBottomSequence, of: applied))
            && (relativeOrder.isEmpty || Self.isInOrder(relativeOrder, in: applied))
            && (notRelativeOrder.isEmpty || !Self.isInOrder(notRelativeOrder, in: applied))
    }

    private static func isAtStart(_ sequence: [Element], of applied: ArraySlice<AppliedMiddleware>) -> Bool {
        sequence.count <= applied.count && zip(sequence, applied).allSatisfy { $0.matches($1) }
    }

    private static func isAtEnd(_ sequence: [Element], of applied: [AppliedMiddleware]) -> Bool {
        sequence.count <= applied.count && isAtStart(sequence, of: applied.suffix(sequence.count))
    }

    private static func isAnywhere(_ sequence: [Element], in applied: [AppliedMiddleware]) -> Bool {
        applied.indices.contains { isAtStart(sequence, of: applied[$0...]) }
    }

    private static func isInOrder(_ sequence: [Element], in applied: [AppliedMiddleware]) -> Bool {
        var rest = sequence[...]
        for middleware in applied {
            guard let next = rest.first else { break }
            if next.matches(middleware) { rest.removeFirst() }
        }
        return rest.isEmpty
    }
}

extension AppliedMiddlewarePattern.Element {
    fileprivate func matches(_ middleware: AppliedMiddleware) -> Bool {
        name.allSatisfy { $0.matches(middleware.name) }
            && changes.effectiveSource.allSatisfy { $0.matches(middleware.changes.effectiveSource) }
            && middleware.changes.effectiveConsistency.matches(changes.effectiveConsistency)
    }
}

extension MountPointPattern {
    public func matches(_ mount: MountPoint) -> Bool {
        mount.type.matches(type)
            && (readOnly ?? mount.readOnly) == mount.readOnly
            && (createSourceIfMissing ?? mount.createSourceIfMissing) == mount.createSourceIfMissing
            && mount.propagation.matches(propagation)
            && mount.consistency.matches(consistency)
            && mount.effectiveConsistency.matches(effectiveConsistency)
            && effectiveSource.allSatisfy { $0.matches(mount.effectiveSource) }
            && origin.allSatisfy { $0.matches(oneOf: mount.origin) }
            && source.allSatisfy { $0.matches(mount.source) }
            && destination.allSatisfy { $0.matches(mount.destination) }
            && mode.allSatisfy { $0.matches(mount.mode) }
            && volume.matches(mount.volume)
            && container.labels.allSatisfy { $0.matches(mount.container.labels) }
            && image.labels.allSatisfy { $0.matches(mount.image.labels) }
            && appliedMiddleware.matches(mount.appliedMiddleware)
    }
}

extension MountPointPattern.Volume {
    fileprivate func matches(_ volume: MountPoint.Volume) -> Bool {
        name.allSatisfy { $0.matches(volume.name) }
            && driver.allSatisfy { $0.matches(volume.driver) }
            && id.allSatisfy { $0.matches(volume.id) }
            && volume.scope.matches(scope)
            && labels.allSatisfy { $0.matches(volume.labels) }
            && driverOptions.allSatisfy { $0.matches(volume.driverOptions) }
            && options.allSatisfy { $0.matches(volume.options) }
    }
}

extension MountPointWord {
    /// Whether it is what a pattern asks for; nil asks nothing.
    fileprivate func matches(_ wanted: Self?) -> Bool {
        wanted.map { $0.rawValue.utf8.elementsEqual(rawValue.utf8) } ?? true
    }
}
