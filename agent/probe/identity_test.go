package probe_test

import (
	"maps"
	"testing"

	"github.com/watchbill/watchbill/agent/probe"
)

// physical is a rack server as the kernel shows it.
var physical = map[string]string{
	"/etc/hostname": "db1\n", "/etc/hosts": "127.0.0.1 localhost\n10.1.2.3 db1.example.net db1\n", "/etc/machine-id": "0123456789abcdef0123456789abcdef\n",
	"/proc/stat": "cpu 1 2 3\nbtime 1700000000\n", "/proc/2/comm": "kthreadd\n", "/proc/self/cgroup": "0::/system.slice/watchbill-agent.service\n",
	"/proc/self/mounts": "/dev/sda1 / ext4 rw,relatime 0 0\n", "/proc/cpuinfo": "flags : fpu sse\n", "/proc/sys/kernel/random/boot_id": "aaaa\n",
	"/sys/class/dmi/id/sys_vendor": "Dell Inc.\n", "/sys/class/dmi/id/product_name": "PowerEdge R650\n", "/sys/class/dmi/id/product_uuid": "4c4c4544-0042-3510-8052-b4c04f564433\n",
	"/sys/class/dmi/id/product_serial": "B5RV3D3\n", "/sys/class/dmi/id/chassis_serial": "CH-1\n", "/sys/class/dmi/id/board_serial": ".B5RV3D3.CN1\n",
	"/etc/localtime": "-> /usr/share/zoneinfo/Europe/Berlin",
}

func with(base map[string]string, more map[string]string) map[string]string {
	out := maps.Clone(base)
	for k, v := range more {
		if v == "" {
			delete(out, k)
		} else {
			out[k] = v
		}
	}
	return out
}

func TestIdentityOfHardware(t *testing.T) {
	h, problems := probe.Identity(t.Context(), tree(t, physical))
	if h.Hostname != "db1" || h.FQDN != "db1.example.net" || h.MachineID != "0123456789abcdef0123456789abcdef" || h.ProductUUID != "4c4c4544-0042-3510-8052-b4c04f564433" ||
		h.SerialNumber != "B5RV3D3" || h.Vendor != "Dell Inc." || h.Product != "PowerEdge R650" || h.Virtualization != "none" || h.Container || h.Timezone != "Europe/Berlin" || h.BootTime.Unix() != 1700000000 || h.Cloud != nil {
		t.Errorf("%+v", h)
	}
	if len(problems) != 0 {
		t.Errorf("problems %v", problems)
	}
}

func TestLeftOverDockerenvIsNoContainer(t *testing.T) {
	h, _ := probe.Identity(t.Context(), tree(t, with(physical, map[string]string{"/.dockerenv": "x"})))
	if h.Container || h.SerialNumber == "" {
		t.Errorf("a virtual machine made of an image passes for a container: %+v", h)
	}
}

func TestContainerDoesNotInheritItsHostsHardware(t *testing.T) {
	const id = "3f4e5d6c7b8a90123f4e5d6c7b8a90123f4e5d6c7b8a90123f4e5d6c7b8a9012"
	base := with(physical, map[string]string{"/proc/2/comm": "", "/proc/self/mounts": "overlay / overlay rw 0 0\n"})
	for name, c := range map[string]struct {
		files    map[string]string
		kind, id string
	}{
		"docker, cgroup v1": {map[string]string{"/.dockerenv": "x", "/proc/self/cgroup": "4:memory:/docker/" + id + "\n"}, "docker", id},
		"docker, cgroup v2 namespace": {map[string]string{"/.dockerenv": "x", "/proc/self/cgroup": "0::/\n",
			"/proc/self/mountinfo": "1 2 8:1 /var/lib/docker/containers/" + id + "/hostname /etc/hostname rw - ext4 /dev/sda1 rw\n"}, "docker", id},
		"podman":         {map[string]string{"/run/.containerenv": "x", "/proc/self/cgroup": "0::/\n"}, "podman", ""},
		"kubernetes":     {map[string]string{"/proc/self/cgroup": "0::/kubepods.slice/kubepods-pod0a1b2c3d_0000_1111_2222_333344445555.slice/cri-containerd-" + id + ".scope\n"}, "containerd", id},
		"systemd-nspawn": {map[string]string{"/run/systemd/container": "systemd-nspawn\n", "/proc/self/cgroup": "0::/\n"}, "systemd-nspawn", ""},
	} {
		h, _ := probe.Identity(t.Context(), tree(t, with(base, c.files)))
		if !h.Container || h.Virtualization != c.kind || h.ContainerID != c.id || h.ParentHint != "boot-id:aaaa" {
			t.Errorf("%s: %+v", name, h)
		}
		if h.ProductUUID+h.SerialNumber+h.Vendor+h.ChassisSerial+h.BoardSerial != "" {
			t.Errorf("%s: it took its host's hardware: %+v", name, h)
		}
	}
}

func TestCloudFromLocalEvidence(t *testing.T) {
	dmi := "/sys/class/dmi/id/"
	for name, c := range map[string]struct {
		files                        map[string]string
		provider, id, virtualization string
	}{
		"aws":          {map[string]string{dmi + "sys_vendor": "Amazon EC2", dmi + "product_name": "m5.large", dmi + "board_asset_tag": "i-0abc123def4567890"}, "aws", "i-0abc123def4567890", "amazon"},
		"azure":        {map[string]string{dmi + "sys_vendor": "Microsoft Corporation", dmi + "product_name": "Virtual Machine", dmi + "chassis_asset_tag": "7783-7084-3265-9085-8269-3286-77"}, "azure", "4c4c4544-0042-3510-8052-b4c04f564433", "hyperv"},
		"hetzner":      {map[string]string{dmi + "sys_vendor": "Hetzner", dmi + "product_name": "vServer", dmi + "product_serial": "1234567"}, "hetzner", "1234567", "kvm"},
		"digitalocean": {map[string]string{dmi + "sys_vendor": "DigitalOcean", dmi + "product_name": "Droplet", dmi + "product_serial": "987"}, "digitalocean", "987", "kvm"},
		"openstack":    {map[string]string{dmi + "sys_vendor": "OpenStack Foundation", dmi + "product_name": "OpenStack Nova"}, "openstack", "4c4c4544-0042-3510-8052-b4c04f564433", "kvm"},
		"cloud-init": {map[string]string{"/run/cloud-init/instance-data.json": `{"v1":{"cloud_name":"aws","instance_id":"i-1","region":"eu-central-1","availability_zone":"eu-central-1a"},` +
			`"ds":{"dynamic":{"instance-identity/document":{"accountId":"123456789012","instanceType":"t3.small"}}}}`}, "aws", "i-1", "none"},
	} {
		h, _ := probe.Identity(t.Context(), tree(t, with(physical, c.files)))
		if h.Cloud == nil || h.Cloud.Provider != c.provider || h.Cloud.InstanceID != c.id || h.Virtualization != c.virtualization {
			t.Errorf("%s: %+v, cloud %+v", name, h, h.Cloud)
		}
	}
	h, _ := probe.Identity(t.Context(), tree(t, with(physical, map[string]string{"/run/cloud-init/instance-data.json": `{"v1":{"cloud_name":"nocloud","instance_id":"iid-local"}}`})))
	if h.Cloud != nil {
		t.Errorf("a seed without a provider became %+v", h.Cloud)
	}
}

func TestSystemNamesTheDistribution(t *testing.T) {
	os, _ := probe.System(tree(t, map[string]string{"/etc/os-release": "ID=debian\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n", "/etc/debian_version": "12.7\n", "/proc/sys/kernel/osrelease": "6.1.0-25-amd64\n"}))
	if os.ID != "debian" || os.Version != "12.7" || os.Codename != "bookworm" || os.Kernel != "6.1.0-25-amd64" {
		t.Errorf("%+v", os)
	}
}
