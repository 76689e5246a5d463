package series

import (
	"runtime"
	"runtime/debug"
)

// LetGarbageLie makes the collector wait, from now on, until the process has taken
// 300 MB: histories hold little and leave much. A percentage of what they hold would
// let the heap grow and shrink with that. Nor is noted any more where memory is taken;
// a profile of that needs -memprofilerate.
func LetGarbageLie() {
	runtime.MemProfileRate = 0
	debug.SetGCPercent(-1)
	debug.SetMemoryLimit(300 << 20)
}
