package probe

import (
	"fmt"
	"regexp"
	"sort"
	"strings"

	"github.com/watchbill/watchbill/cmdb/report"
)

// Disks reads block devices that are no partitions. Devices without a size
// (an unused loop device, an empty drive) store nothing and are left out, as are
// paths to a device that stands there itself, memory that looks like a device, and
// drives whose medium is not theirs. In a container the devices are its host's.
func Disks(t Tree) ([]report.Disk, []report.Problem) {
	var p problems
	out := []report.Disk{}
	if c := t.container(); c.isContainer() {
		p.add("", "disks: this is a container (%s), the block devices belong to its host", c.kind)
		return out, p.list
	}
	leads := t.multipaths()
	paths := make(map[string]bool)
	for _, to := range leads {
		for _, path := range to {
			paths[path] = true
		}
	}
	known := make(map[string]bool) // by world wide name and size
	for _, name := range t.names("/sys/block") {
		dir := "/sys/block/" + name
		sectors := t.number(dir + "/size")
		if sectors <= 0 || t.number(dir+"/hidden") == 1 || paths[name] || t.noDisk(name) {
			continue
		}
		d := report.Disk{
			Name: name, Model: t.text(dir + "/device/model"), Vendor: t.text(dir + "/device/vendor"),
			// The kernel's sectors are 512 bytes, whatever the device's are.
			SizeBytes: uint64(sectors) * 512, Rotational: t.text(dir+"/queue/rotational") == "1",
			WWN: firstOf(t.text(dir+"/wwid"), t.text(dir+"/device/wwid")),
		}
		d.Kind = t.diskKind(name, d.Rotational)
		d.Serial = t.diskSerial(dir)
		if to := leads[name]; len(to) > 0 {
			// What the device itself cannot say, any way to it can.
			path := "/sys/block/" + to[0]
			d.Model, d.Vendor, d.Serial = t.text(path+"/device/model"), t.text(path+"/device/vendor"), t.diskSerial(path)
			d.WWN = firstOf(t.text(path+"/wwid"), t.text(path+"/device/wwid"))
		}
		// Two ways to one unit that nothing has joined: such names are given once.
		if unit := fmt.Sprint(d.WWN, d.SizeBytes); strings.HasPrefix(d.WWN, "naa.") || strings.HasPrefix(d.WWN, "eui.") {
			if known[unit] {
				continue
			}
			known[unit] = true
		}
		if strings.HasPrefix(d.Vendor, "0x") {
			d.Vendor = "" // virtio gives its PCI vendor id, which names nobody
		}
		out = append(out, d)
	}
	if !t.exists("/sys/block") {
		p.add("", "disks: /sys/block is not there")
	}
	sort.Slice(out, func(i, j int) bool { return out[i].Name < out[j].Name })
	return out, p.list
}

// noDisk says whether a block device is none of what people call a disk: memory,
// floppy drives, drives for discs (whose size is the medium's), tapes, a device's boot
// areas, and NVMe's paths (nvme0c0n1) beside the disk that they lead to.
func (t Tree) noDisk(name string) bool {
	if nvmePath.MatchString(name) || mmcArea.MatchString(name) || floppy.MatchString(name) {
		return true
	}
	for _, prefix := range []string{"loop", "ram", "zram", "sr", "scd", "mtdblock", "st", "nullb"} {
		if digits, ok := strings.CutPrefix(name, prefix); ok && isDigits(digits) {
			return true
		}
	}
	// SCSI's kinds of device: 0 and 14 are disks, 7 an optical memory, 20 a zoned disk.
	switch t.text("/sys/block/" + name + "/device/type") {
	case "", "0", "7", "14", "20":
		// The old IDE drivers said it in a word.
		return t.text("/sys/block/"+name+"/device/media") == "cdrom"
	}
	return true
}

var (
	nvmePath = regexp.MustCompile(`^nvme\d+c\d+n\d+$`)
	mmcArea  = regexp.MustCompile(`^mmcblk\d+(boot\d+|rpmb|gp\d+)$`)
	floppy   = regexp.MustCompile(`^fd\d+$`)
)

func isDigits(s string) bool {
	return s != "" && strings.Trim(s, "0123456789") == ""
}

// multipaths are the multipath devices with the devices that lead to them. The one
// stands for the others: one disk seen twice is one disk.
func (t Tree) multipaths() map[string][]string {
	out := make(map[string][]string)
	for _, name := range t.names("/sys/block") {
		dir := "/sys/block/" + name
		if strings.HasPrefix(t.text(dir+"/dm/uuid"), "mpath-") || t.text(dir+"/md/level") == "multipath" {
			out[name] = t.names(dir + "/slaves")
		}
	}
	return out
}

func (t Tree) diskKind(name string, rotational bool) string {
	dir := "/sys/block/" + name
	switch {
	case strings.HasPrefix(name, "nvme"):
		return "nvme"
	case strings.HasPrefix(name, "md"):
		return "raid"
	case strings.HasPrefix(name, "dm-"):
		switch uuid := t.text(dir + "/dm/uuid"); {
		case strings.HasPrefix(uuid, "LVM-"):
			return "lvm"
		case strings.HasPrefix(uuid, "CRYPT-"):
			return "crypt"
		case !strings.HasPrefix(uuid, "mpath-"):
			return "virtual"
		case rotational:
			return "hdd"
		}
		return "ssd"
	case strings.HasPrefix(name, "vd"), strings.HasPrefix(name, "xvd"), strings.HasPrefix(name, "nbd"), strings.HasPrefix(name, "rbd"), strings.HasPrefix(name, "drbd"), strings.HasPrefix(name, "zd"), strings.HasPrefix(name, "bcache"), strings.HasPrefix(name, "ubd"):
		return "virtual"
	}
	model := t.text(dir+"/device/vendor") + " " + t.text(dir+"/device/model")
	for _, virtual := range []string{"QEMU", "VBOX", "VMware", "Virtual", "Msft"} {
		if strings.Contains(model, virtual) {
			return "virtual"
		}
	}
	if rotational {
		return "hdd"
	}
	return "ssd"
}

// diskSerial asks the places where drivers put it: NVMe and virtio as text,
// SCSI as vital product data page 0x80.
func (t Tree) diskSerial(dir string) string {
	if s := firstOf(t.text(dir+"/device/serial"), t.text(dir+"/serial")); s != "" {
		return printable(s)
	}
	page, err := t.read(dir + "/device/vpd_pg80")
	if err != nil {
		return ""
	}
	return parseSerialPage(page)
}

// parseSerialPage reads SCSI VPD page 0x80: four bytes of head, then the serial.
func parseSerialPage(page []byte) string {
	if len(page) < 4 || page[1] != 0x80 {
		return ""
	}
	length := int(page[2])<<8 | int(page[3])
	if length > len(page)-4 {
		length = len(page) - 4
	}
	return printable(string(page[4 : 4+length]))
}

func printable(s string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, s))
}
