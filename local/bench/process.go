package bench

import (
	"fmt"
	"os"
	"strconv"
	"strings"
)

// peakMemory is the most memory that this process has had, in MB; 0 on a system that does not tell.
func peakMemory() float64 { return megabytes("/proc/self/status", "VmHWM") }

// megabytes is a number of kB in a file, in MB.
func megabytes(file, name string) float64 {
	n, _ := strconv.ParseFloat(strings.TrimSuffix(value(file, name), " kB"), 64)
	return n / 1000
}

// statusOf is the file that tells of a process.
func statusOf(p *os.Process) string { return fmt.Sprintf("/proc/%d/status", p.Pid) }
