// SPDX-License-Identifier: AGPL-3.0-or-later

// The peer of a command that mountpoint-runc hands over: a runtime that only finds runc and becomes it. This is the least that a
// wrapper in Go can do, and so what those who wrap runc in Go pay before they have looked at anything.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"syscall"
)

func main() {
	name := os.Getenv("EXEC_RUNC")
	if name == "" {
		name = "runc"
	}
	path, err := exec.LookPath(name)
	if err == nil {
		err = syscall.Exec(path, append([]string{path}, os.Args[1:]...), os.Environ())
	}
	fmt.Fprintln(os.Stderr, "exec-runc:", err)
	os.Exit(1)
}
