package main

import "runtime/debug"

// buildVersion tells what was built: the module's version, or the commit.
func buildVersion() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "of an unknown version"
	}
	return info.Main.Version + " (" + info.GoVersion + ")"
}
