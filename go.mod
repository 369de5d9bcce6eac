module github.com/watchbill/watchbill

go 1.26.0
