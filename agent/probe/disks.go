package probe

import (
	"sort"
	"strings"

	"github.com/watchbill/watchbill/cmdb/report"
)

// Disks reads block devices that are no partitions. Devices without a size
// (an unused loop device, an empty drive) store nothing and are left out.
func Disks(t Tree) ([]report.Disk, []report.Problem) {
	var p problems
	out := []report.Disk{}
	for _, name := range t.names("/sys/block") {
		dir := "/sys/block/" + name
		sectors := t.number(dir + "/size")
		if sectors <= 0 {
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

func (t Tree) diskKind(name string, rotational bool) string {
	dir := "/sys/block/" + name
	switch {
	case strings.HasPrefix(name, "nvme"):
		return "nvme"
	case strings.HasPrefix(name, "loop"):
		return "loop"
	case strings.HasPrefix(name, "md"):
		return "raid"
	case strings.HasPrefix(name, "dm-"):
		switch uuid := t.text(dir + "/dm/uuid"); {
		case strings.HasPrefix(uuid, "LVM-"):
			return "lvm"
		case strings.HasPrefix(uuid, "CRYPT-"):
			return "crypt"
		case strings.HasPrefix(uuid, "mpath-"):
			return "raid"
		}
		return "virtual"
	case strings.HasPrefix(name, "vd"), strings.HasPrefix(name, "xvd"), strings.HasPrefix(name, "zram"), strings.HasPrefix(name, "ram"), strings.HasPrefix(name, "nbd"), strings.HasPrefix(name, "rbd"):
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
