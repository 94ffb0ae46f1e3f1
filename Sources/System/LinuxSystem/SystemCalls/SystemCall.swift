// SPDX-License-Identifier: AGPL-3.0-or-later

/// One system call of a ``SystemCallSequence``, before it is added: what is called, with what, and what its failure means.
public struct SystemCall: Sendable {
    let name: String
    let number: Int
    let operand: String
    let arguments: [SystemCallSequence.Argument]
    let options: SystemCallSequence.Options
    let condition: SystemCallSequence.Call?

    /// - Parameters:
    ///   - name: as the manual page spells it, for errors.
    ///   - number: `__NR_…`.
    ///   - operand: what it acts on, for errors.
    ///   - arguments: at most six.
    ///   - condition: run only if this earlier call succeeded.
    public init(
        _ name: String, _ number: Int, on operand: String, _ arguments: [SystemCallSequence.Argument],
        options: SystemCallSequence.Options = [], if condition: SystemCallSequence.Call? = nil
    ) {
        self.name = name
        self.number = number
        self.operand = operand
        self.arguments = Array(arguments.prefix(6))
        self.options = options
        self.condition = condition
    }
}
