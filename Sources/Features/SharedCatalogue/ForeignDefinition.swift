// SPDX-License-Identifier: AGPL-3.0-or-later

import KernelMount
import Volumes

extension VolumeDefinition {
    /// Checks what another host wrote. One bad word in an answer would make Docker refuse all of it.
    ///
    /// - Parameter owners: the owners of volumes on this host.
    /// - Throws: `StorageError` (`damaged`) with what is wrong.
    func checkAsForeign(owners: [String]) throws(StorageError) {
        guard owners.contains(owner) else { throw StorageError(.damaged, "it has no driver's name in driver") }
        guard isTime(createdAt) else { throw StorageError(.damaged, "createdAt is not a time such as 2026-03-01T12:00:00Z") }
        guard name.text.utf8.allSatisfy({ $0 >= 0x20 && $0 != 0x7f }) else {
            throw StorageError(.damaged, "its name has a control character in it")
        }
    }

    /// Whether this is a valid RFC 3339 UTC time, to the second; Go's time package refuses a date that does not exist.
    private func isTime(_ text: String) -> Bool {
        let form = "0000-00-00T00:00:00Z".utf8
        guard text.utf8.count == form.count,
            zip(text.utf8, form).allSatisfy({ (0x30...0x39).contains($0) ? $1 == 0x30 : $0 == $1 && $1 != 0x30 })
        else { return false }
        let numbers = text.utf8.split { !(0x30...0x39).contains($0) }.compactMap { Int(String(decoding: $0, as: UTF8.self)) }
        let (year, month) = (numbers[0], numbers[1])
        guard (1...12).contains(month) else { return false }
        let isLeap = year.isMultiple(of: 4) && !year.isMultiple(of: 100) || year.isMultiple(of: 400)
        let days = [31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1]
        return (1...days).contains(numbers[2]) && numbers[3] < 24 && numbers[4] < 60 && numbers[5] < 60
    }
}

extension CatalogueDefinitions.Reading {
    /// Counts definitions whose options this host does not take from others as damaged, but for those that it has already.
    mutating func refuseWhatOthersMayNotSay(unless isKnown: (VolumeDefinition) -> Bool) {
        definitions.removeAll { definition in
            if isKnown(definition) { return false }
            do throws(StorageError) { try definition.options.source.validate(for: .volume) } catch {
                damaged[CatalogueDefinitions.file(of: definition.name)] = error.description
                return true
            }
            return false
        }
    }
}
