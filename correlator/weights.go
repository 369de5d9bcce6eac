package correlator

// The weights are printed by test/scenarios/causes; nothing hangs on the second digit.

var causeWeights = [featureCount]float64{
	0.64,  // model
	0.07,  // explained
	1.16,  // strength
	0.82,  // coverage
	-0.30, // up
	0.35,  // up early
	0.20,  // dependents
	0.59,  // complaining
	0.57,  // changed
	1.48,  // own
	1.23,  // own kinds
	0.54,  // own share
	-0.34, // own gravest
	0.04,  // own first
	0.34,  // own late
	0.29,  // own order
	-0.24, // own wide
	-0.16, // guess
	-0.49, // only
	0.17,  // serves
	-0.38, // machine
	0.47,  // network
	-0.58, // data
	-0.87, // place
	0.56,  // outside
	-0.92, // silent machine
	-0.42, // silent network
	0.19,  // silent app
	0.19,  // silent data
	-0.58, // silent place
	-0.41, // silent outside
	-0.68, // silent lone
	0.00,  // silent part
}

var noneWeights = [noneCount]float64{
	0.46,  // always
	0.32,  // wide
	0.28,  // unplaced
	-0.14, // poor
	0.14,  // guesses
}
