import type { Words } from '@/kit/words'
export default {
  title: ['登录安澜', 'Log in to Anlan'], sub: ['监测、研判、预警、送达、指挥、追责，一条链走到底', 'From the reading to the person who answers for it'],
  user: ['账号', 'User name'], password: ['密码', 'Password'], go: ['登录', 'Log in'], wrong: ['账号或密码不对，请核对大小写', 'User name or password is wrong; check capitals'],
} satisfies Words
