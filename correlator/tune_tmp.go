package correlator

import (
	"os"
	"strconv"
)

func env(k string, d float64) float64 {
	if v, err := strconv.ParseFloat(os.Getenv(k), 64); err == nil {
		return v
	}
	return d
}

var (
	tCap   = env("TCAP", 9)
	tOdds  = env("ODDS", 1)
	tNeg   = env("NEG", 0.5)
	tPos   = env("POS", 0.8)
	tAdj   = env("ADJ", 0.3)
	tRev   = env("REV", 0.6)
	tStray = env("STRAY", 0.08)
	tMerge = env("MERGE", -1)
	tImm   = env("IMM", 0)
	tUnk   = env("UNK", 0.02)
	tSame  = env("SAME", 2)
	tPace  = env("PACE", 0.5)
	tP1    = env("P1", 0.35)
	tP2    = env("P2", 0.45)
	tAlike = env("ALIKE", 0.6)
	tPlat  = env("PLAT", 0.5)
	tA     = env("TA", 1)
	tB     = env("TB", 0)
)
