// Package watchbill carries the recorded storm that `watchbill demo` plays. It
// refuses to hold anything else: the product is in the folders beside it.
package watchbill

import _ "embed"

// Storm is a recording of two days of a simulated estate with nine failures, gzipped.
//
//go:embed testdata/storms/dev-02-clean-b.jsonl.gz
var Storm []byte
