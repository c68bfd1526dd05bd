import type { Words } from './words'
export default {
  brand: ['安澜', 'Anlan'], demo: ['演示数据', 'Demo data'], data: ['数据 {age}', 'Data {age}'], offline: ['离线 {n} / {all}', 'Offline {n} / {all}'],
  lang: ['English', '中文'], langLabel: ['EN · 切换到英文 English', '中 · 中文 · switch to Chinese'], theme: ['深浅切换', 'Dark or light'], logout: ['退出', 'Log out'], skip: ['跳到正文', 'Skip to content'],
  nav: ['主导航', 'Main navigation'], claim: ['认领', 'Claim'], cancel: ['取消', 'Cancel'], ok: ['确定', 'OK'], save: ['保存', 'Save'], close: ['关闭', 'Close'], retry: ['现在再试', 'Retry now'], more: ['更多', 'More'],
  loading: ['正在取数', 'Loading'], none: ['无', 'None'], failed: ['没有成功', 'It did not work'], failedHint: ['{reason}。您填的内容还在，可以再试。', '{reason}. What you entered is kept; you may try again.'],
  noRight: ['您没有这项权限', 'You do not have this right'], noRightHint: ['需要「{right}」权限，可向系统管理员申请。', 'It needs the right “{right}”; the administrator can grant it.'],
  houseState: ['平台自身', 'The platform'], seenTo: ['已处理', 'Seen to'],
  unreachable: ['与服务断开', 'Service not reachable'], unreachableHint: ['显示 {at} 的画面，{s} 秒后重连（第 {n} 次）', 'Showing the picture of {at}; trying again in {s} s (attempt {n})'],
  streamStale: ['实时推送中断 {age}，画面停在 {at}', 'Live stream stopped {age}; picture of {at}'], households: ['户', 'households'], people: ['人', 'people'], unknown: ['未知', 'Unknown'],
  shift: ['{role} · {name}', '{role} · {name}'], gradeWarn: ['{grade}色预警', '{grade} warning'], proposed: ['建议{grade} · {roman} 级', 'Proposed {grade} · {roman}'], inForce: ['{grade}色生效 · {roman} 级', '{grade} in force · {roman}'],
  rcChannel: ['渠道接了', 'Channel took'], rcDevice: ['设备收到', 'Device got'], rcConfirmed: ['人确认', 'Confirmed'], rcActed: ['已行动', 'Acted'], rcSilent: ['沉默', 'Silent'], rcUnreachable: ['无登记方式', 'No contact'],
} satisfies Words
