// Package cmdb is what the product knows about configuration items without
// touching any of them: their classes and typed fields, how relations read,
// which identifiers make two observations one machine, which source may say
// what, how two documents differ, and the language that asks for them. It is
// pure: time, identities and what is stored are arguments. It refuses I/O and
// keeps no inventory; cmdb/inventory does.
package cmdb
