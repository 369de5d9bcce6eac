package correlator

// The weights are printed by test/scenarios/causes; nothing hangs on the second digit.

var causeWeights = [featureCount]float64{
	0.68,  // model
	0.16,  // explained
	1.19,  // strength
	0.94,  // coverage
	-0.16, // up
	0.41,  // up early
	0.71,  // dependents
	0.36,  // complaining
	0.68,  // changed
	1.24,  // own
	1.19,  // own kinds
	0.51,  // own share
	-0.41, // own gravest
	-0.05, // own first
	0.17,  // own late
	0.23,  // own order
	-0.25, // own wide
	-0.19, // guess
	-0.32, // only
	0.22,  // serves
	-0.24, // machine
	0.58,  // network
	-0.37, // data
	-0.88, // place
	0.56,  // outside
	-0.88, // silent machine
	-0.28, // silent network
	0.03,  // silent app
	0.15,  // silent data
	-0.51, // silent place
	-0.12, // silent outside
	-0.62, // silent lone
	-0.57, // silent feeds
	-0.35, // silent strength
	-0.63, // silent dependents
	0.25,  // silent complaining
	0.00,  // silent wide
	0.00,  // silent part
}

var noneWeights = [noneCount]float64{
	0.37,  // always
	0.25,  // wide
	0.24,  // unplaced
	-0.10, // poor
	0.18,  // guesses
}
