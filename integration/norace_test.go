//go:build !race

package integration_test

// raceEnabled makes the program under test be built like the tests.
const raceEnabled = false
