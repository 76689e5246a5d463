package series

import "runtime/debug"

// LetGarbageLie makes the collector wait, from now on, until the process has taken
// 300 MB: histories hold little and leave much. A percentage of what they hold would
// let the heap grow and shrink with that.
func LetGarbageLie() {
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(300 << 20)
}
