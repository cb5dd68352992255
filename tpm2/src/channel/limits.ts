/** Tag, size and code. */
export const HEADER_SIZE = 10;
/** TPM_PT_MAX_RESPONSE_SIZE is 4096 in the PC client profile; some leave more, none needs over 16 KiB. */
export const MAX_RESPONSE = 16_384;
