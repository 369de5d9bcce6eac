package engine

import (
	"fmt"
	"reflect"
	"testing"
	"time"

	"github.com/watchbill/watchbill/correlator"
)

// fill gives every field of a document a value of its own, so that one which the
// stored form forgets shows.
func fill(v reflect.Value, n *int) {
	*n++
	switch x := v.Addr().Interface().(type) {
	case *time.Time:
		*x = time.Unix(int64(*n), int64(*n)).UTC()
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(fmt.Sprint("text ", *n))
	case reflect.Int:
		v.SetInt(int64(-*n))
	case reflect.Float64:
		v.SetFloat(float64(*n) / 8)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), n)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range 2 {
			fill(v.Index(i), n)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), n)
		}
	default:
		panic("an alert has a field of kind " + v.Kind().String() + ", which this test cannot fill")
	}
}

func TestStoredAlertIsTheAlert(t *testing.T) {
	var full correlator.Alert
	fill(reflect.ValueOf(&full).Elem(), new(int))
	own := correlator.Alert{ID: "ALT1", Canonical: "ALT1"} // and all times zero
	for name, want := range map[string]correlator.Alert{"empty": {}, "full": full, "its own canonical": own} {
		b, err := appendAlert([]byte("before")[:0], want)
		if err != nil {
			t.Fatal(err)
		}
		var got correlator.Alert
		if err := decodeAlert(b, &got); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if !reflect.DeepEqual(got, want) {
			t.Errorf("%s: stored as\n%+v\nwant\n%+v", name, got, want)
		}
		for n := range b { // a cut row is an error, never half an alert
			if err := decodeAlert(b[:n], &got); err == nil {
				t.Errorf("%s: %d of %d bytes were read as an alert", name, n, len(b))
			}
		}
		if err := decodeAlert(append(b, 0), &got); err == nil {
			t.Errorf("%s: a byte too many was passed over", name)
		}
	}
}

func FuzzStoredAlert(f *testing.F) {
	var full correlator.Alert
	fill(reflect.ValueOf(&full).Elem(), new(int))
	b, _ := appendAlert(nil, full)
	f.Add(b)
	f.Fuzz(func(t *testing.T, b []byte) {
		var a, again correlator.Alert
		if decodeAlert(b, &a) != nil {
			return
		}
		c, err := appendAlert(nil, a)
		if err != nil || decodeAlert(c, &again) != nil {
			t.Fatalf("what was read cannot be written: %v", err)
		}
	})
}
