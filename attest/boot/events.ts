/** Types of boot events: TCG PC Client Platform Firmware Profile, section 10.4.1. A type is never covered by a digest: it is a hint, not a fact. */
export const EV = {
  prebootCert: 0x0, postCode: 0x1, noAction: 0x3, separator: 0x4, action: 0x5, eventTag: 0x6, sCrtmContents: 0x7, sCrtmVersion: 0x8, cpuMicrocode: 0x9,
  platformConfigFlags: 0xa, tableOfDevices: 0xb, compactHash: 0xc, ipl: 0xd, iplPartitionData: 0xe, nonhostCode: 0xf, nonhostConfig: 0x10, nonhostInfo: 0x11,
  omitBootDeviceEvents: 0x12, postCode2: 0x13,
  efiVariableDriverConfig: 0x80000001, efiVariableBoot: 0x80000002, efiBootServicesApplication: 0x80000003, efiBootServicesDriver: 0x80000004,
  efiRuntimeServicesDriver: 0x80000005, efiGptEvent: 0x80000006, efiAction: 0x80000007, efiPlatformFirmwareBlob: 0x80000008, efiHandoffTables: 0x80000009,
  efiPlatformFirmwareBlob2: 0x8000000a, efiHandoffTables2: 0x8000000b, efiVariableBoot2: 0x8000000c, efiGptEvent2: 0x8000000d, efiHcrtmEvent: 0x80000010,
  efiVariableAuthority: 0x800000e0, efiSpdmFirmwareBlob: 0x800000e1, efiSpdmFirmwareConfig: 0x800000e2, efiSpdmDevicePolicy: 0x800000e3, efiSpdmDeviceAuthority: 0x800000e4,
} as const;

const NAMES = new Map(Object.entries(EV).map(([name, type]) => [type as number, `EV_${name.replace(/[A-Z]|(?<=[a-z])\d/g, (c) => (/\d/.test(c) ? c : `_${c}`)).toUpperCase()}`]));

/** `EV_SEPARATOR`, or the number of a type that has no name. */
export const typeName = (type: number): string => NAMES.get(type) ?? `0x${type.toString(16).padStart(8, '0')}`;
