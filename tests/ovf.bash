# Loaded by tests of OVA: the OVF of a machine as virtual appliances have them.

# item TYPE ELEMENT=VALUE...: an Item of the virtual hardware.
item() {
  local each
  printf '<Item><rasd:ResourceType>%s</rasd:ResourceType>' "$1"
  for each in "${@:2}"; do printf '<rasd:%s>%s</rasd:%s>' "${each%%=*}" "${each#*=}" "${each%%=*}"; done
  printf '</Item>\n'
}

# ovf DISKS: three disks in the order of the text, of which the second one stands first on the controller, and the third is
# still empty; 3 GiB, 4 processors, UEFI, one network.
ovf() {
  cat <<END
<?xml version="1.0" encoding="UTF-8"?>
<Envelope xmlns="http://schemas.dmtf.org/ovf/envelope/1" xmlns:ovf="http://schemas.dmtf.org/ovf/envelope/1"
  xmlns:rasd="http://schemas.dmtf.org/wbem/wscim/1/cim-schema/2/CIM_ResourceAllocationSettingData"
  xmlns:vmw="http://www.vmware.com/schema/ovf">
<References>
<File ovf:id="file1" ovf:href="m-disk1.vmdk"/>
<File ovf:id="file2" ovf:href="m-disk2.vmdk"/>
</References>
<DiskSection><Info>disks</Info>
<Disk ovf:diskId="second" ovf:fileRef="file2" ovf:capacity="7" ovf:capacityAllocationUnits="byte * 2^20"/>
<Disk ovf:diskId="first" ovf:fileRef="file1" ovf:capacity="20" ovf:capacityAllocationUnits="byte * 2^20"/>
<Disk ovf:diskId="blank" ovf:capacity="3" ovf:capacityAllocationUnits="byte * 2^20"/>
</DiskSection>
<VirtualSystem ovf:id="m"><Name>web &amp; co = 1=</Name><VirtualHardwareSection>
$(item 3 InstanceID=1 VirtualQuantity=4)
$(item 4 InstanceID=2 'AllocationUnits=byte * 2^20' VirtualQuantity=3072)
$(item 6 InstanceID=3 Address=0)
$(item 17 InstanceID=4 Parent=3 AddressOnParent=1 HostResource=ovf:/disk/second)
$(item 17 InstanceID=5 Parent=3 AddressOnParent=0 HostResource=ovf:/disk/first)
$(item 10 InstanceID=6 'Connection=VM Network')
<vmw:Config ovf:required="false" vmw:key="firmware" vmw:value="efi"/>
</VirtualHardwareSection></VirtualSystem></Envelope>
END
}
