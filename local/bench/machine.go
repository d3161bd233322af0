package bench

import (
	"fmt"
	"os"
	"runtime"
	"strings"
)

// Machine is where a report was made.
type Machine struct {
	OS     string `json:"os"`
	CPU    string `json:"cpu,omitempty"`
	Cores  int    `json:"cores"`
	Memory string `json:"memory,omitempty"`
	Go     string `json:"go"`
}

// ThisMachine is this one, as far as it tells.
func ThisMachine() Machine {
	return Machine{OS: runtime.GOOS + "/" + runtime.GOARCH, CPU: value("/proc/cpuinfo", "model name"),
		Cores: runtime.NumCPU(), Memory: gibibytes(value("/proc/meminfo", "MemTotal")), Go: runtime.Version()}
}

// value is what follows a name and a colon in a file.
func value(file, name string) string {
	text, _ := os.ReadFile(file) // other systems have none
	for line := range strings.Lines(string(text)) {
		if before, after, found := strings.Cut(line, ":"); found && strings.TrimSpace(before) == name {
			return strings.TrimSpace(after)
		}
	}
	return ""
}

// gibibytes rounds a size like "24684092 kB", which is not the same after every start of a machine; what is none stays.
func gibibytes(size string) string {
	var kB float64
	if _, err := fmt.Sscanf(size, "%f kB", &kB); err != nil {
		return size
	}
	return fmt.Sprintf("%.0f GiB", kB/(1<<20))
}

// String is the machine in one line.
func (m Machine) String() string {
	text := fmt.Sprintf("Measured on %s, %d cores", m.OS, m.Cores)
	if m.CPU != "" {
		text += " (" + m.CPU + ")"
	}
	if m.Memory != "" {
		text += ", " + m.Memory
	}
	return text + ", " + m.Go + "."
}
