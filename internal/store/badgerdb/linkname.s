// This file is empty: it lets the compiler take the functions without a body of rest.go.
